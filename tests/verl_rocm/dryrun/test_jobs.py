"""From launches of a script to jobs."""

from pathlib import Path

from verl_rocm.dryrun.jobs import MAIN, Question, jobs, placed


def launched(tmp_path: Path, body: str) -> list[tuple[str, tuple[str, ...], str, bool]]:
    script = tmp_path / "run.sh"
    script.write_text(body)
    launches = jobs(Question(script=script, count=4), "gfx942")
    return [(job.launcher, job.arguments, job.notes, job.foreign) for job in launches]


def test_a_trainer_of_others_is_resolved_as_verls_and_says_so(tmp_path: Path) -> None:
    """Fails where a module that verl lacks is refused, though its keys are verl's."""
    ((launcher, arguments, notes, foreign),) = launched(tmp_path, "python3 -m recipe.dapo.main_dapo trainer.nnodes=1")
    assert (launcher, arguments, foreign) == (MAIN, ("trainer.nnodes=1",), True)
    assert notes == f"recipe.dapo.main_dapo is none of verl's own trainers and is resolved as {MAIN}"


def test_the_gpus_of_the_question_are_those_that_the_script_counts(tmp_path: Path) -> None:
    ((launcher, arguments, notes, foreign),) = launched(tmp_path, f"python3 -m {MAIN} n=$(nvidia-smi -L | wc -l)")
    assert (launcher, arguments, notes, foreign) == (MAIN, ("n=4",), "", False)


def test_config_folders_are_those_of_the_launch(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    whole = str(tmp_path / "config")
    assert placed(["--config-path=config", "-cd", "config", "a=config"], tmp_path) == (
        f"--config-path={whole}",
        "-cd",
        whole,
        "a=config",
    )
    assert placed(["--config-path=other", "-cd", "other"], tmp_path) == ("--config-path=other", "-cd", "other")
