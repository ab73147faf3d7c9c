"""What a launch script would start, found by running it in a sandbox where nothing is started.

``run`` prepares and reads, ``forms`` names the commands, ``prelude.sh`` changes bash, ``standin`` stands for
python, docker, srun and the like, ``slurm`` gives what Slurm would, ``sandbox`` keeps it from writing.
Nothing is imported here: the stand-ins start often, and without the project's packages.
"""
