"""Tasks: a file of examples, what a model has to say of them, and how good that is."""

from hdp_hw.study.tasks.load import load_task
from hdp_hw.study.tasks.rows import TaskError
from hdp_hw.study.tasks.task import SEED, Comparison, Task, compare, draw

__all__ = ["SEED", "Comparison", "Task", "TaskError", "compare", "draw", "load_task"]
