"""How nbgrader turns the masters in notebooks/solutions into what students get."""

c = get_config()  # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "lunsformter"

# A cell that is not written yet must run: the checks then say "not attempted yet".
c.ClearSolutions.code_stub = {"python": "...  # your code here"}
c.ClearSolutions.text_stub = "*Your answer here.*"

# Checks stop endless loops within seconds; this is for loops outside of the checked functions.
c.Execute.timeout = 60
c.Execute.interrupt_on_timeout = True
