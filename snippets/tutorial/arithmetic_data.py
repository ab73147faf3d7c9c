"""Write a small arithmetic set for verl: ``train.parquet`` and ``val.parquet``.

python3 arithmetic_data.py FOLDER [--rows 4096] [--largest 99]
"""

# [start:imports]
import argparse
import random
from pathlib import Path

import pandas

# [end:imports]

VALIDATION_ROWS = 64


# [start:row]
def row(index: int, numbers: random.Random, largest: int) -> dict[str, object]:
    """One question in the columns that verl reads, with what the reward needs."""
    left, right = numbers.randint(0, largest), numbers.randint(0, largest)
    question = f"What is {left} + {right}? Answer with the number only."
    return {
        "data_source": "arithmetic",
        "prompt": [{"role": "user", "content": question}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": str(left + right)},
        "extra_info": {"index": index},
    }


# [end:row]


# [start:write]
def write(folder: Path, rows: int, largest: int, seed: int = 0) -> None:
    """Write both files, drawn apart; the same seed gives the same questions."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, offset in (
        ("train", rows, 0),
        ("val", min(rows, VALIDATION_ROWS), 1),
    ):
        numbers = random.Random(2 * seed + offset)
        questions = [row(index, numbers, largest) for index in range(count)]
        pandas.DataFrame(questions).to_parquet(folder / f"{name}.parquet")


# [end:write]


def main() -> None:
    """Write the files into the folder named on the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=4096, help="training questions")
    parser.add_argument(
        "--largest", type=int, default=99, help="largest number in a question"
    )
    arguments = parser.parse_args()
    write(arguments.folder, arguments.rows, arguments.largest)


if __name__ == "__main__":
    main()
