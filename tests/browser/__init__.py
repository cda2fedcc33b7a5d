"""A package, so that its fixtures of scope "package" close when the last browser test is done."""
