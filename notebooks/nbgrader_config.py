"""How nbgrader turns the masters in notebooks/solutions into what students get."""

c = get_config()  # noqa: F821  (nbgrader defines it)

c.CourseDirectory.course_id = "lunsformter"

# A cell that is not written yet must run: the checks then say "not attempted yet".
c.ClearSolutions.code_stub = {"python": "...  # your code here"}
c.ClearSolutions.text_stub = "*Your answer here.*"

# Autograding reads whatever was handed in, finds the points outside of the student's process, and
# starts no kernel. The places of nbgrader's own steps are kept, but for ClearOutput and
# DeduplicateIds (Reader and Repair do their work) and Execute (JudgeOutside does).
STEPS = "lunsedu.exercises.grading.nbgrader_steps"
c.Autograde.pre_convert_hook = f"{STEPS}.find_hand_in"
c.Autograde.exporter_class = f"{STEPS}.Reader"
c.Autograde.sanitize_preprocessors = [
    f"{STEPS}.Repair",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    f"{STEPS}.JudgeOutside",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.JudgeOutside.seconds = 30.0  # for a cell, or for one call of a function, by the clock
c.JudgeOutside.gigabytes = 3.0  # of memory

# Pages that run no script, and stay below 2 MB.
c.GenerateFeedback.exporter_class = f"{STEPS}.Page"
