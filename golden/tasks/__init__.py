"""Tasks: a file of examples, what a model has to say of them, and how good that is."""

from golden.tasks.load import load_task
from golden.tasks.table import TaskError
from golden.tasks.task import Comparison, Task, compare

__all__ = ["Comparison", "Task", "TaskError", "compare", "load_task"]
