"""What the widgets show: pure functions from results to HTML, SVG and still pictures.

Read in this order: html_page.py (the page, its style, errors), line_chart.py; then a file for each
thing that is shown: tokens.py, attention.py, training.py, winners.py, tree.py, race_page.py,
with_and_without.py, patching.py, rewards.py; and stills.py, what stands in their place where no
kernel runs.

What is not here: sliders and buttons (widgets/), a Result's own table (decoding/), lessons'
pictures (plots/).
"""
