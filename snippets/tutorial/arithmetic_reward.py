"""The reward of the arithmetic set: is the answer a number, and is it the right one?"""

# [start:reward]
FORM, RIGHT = 0.2, 0.8


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: dict[str, object] | None = None,
) -> float:
    """0 to 1: up to 0.2 if the answer is digits only, and 0.8 for the right number."""
    answer = solution_str.strip()
    if not answer:
        return 0.0
    digits = sum(letter.isascii() and letter.isdigit() for letter in answer)
    return FORM * digits / len(answer) + RIGHT * (answer == ground_truth)


# [end:reward]
