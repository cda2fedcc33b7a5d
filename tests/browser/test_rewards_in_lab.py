"""The reward monitor in a real JupyterLab: live, and stopped at the button."""

NAME = "12_learning_from_rewards.ipynb"


def test_it_is_live_and_stops_at_the_button(opened, lab):
    page = opened(NAME)
    shell = page.locator(".lunsedu").first
    lab.do(NAME, "learning = shells[0].learning")
    lab.do(NAME, "learning.settings.update(steps=1000, prompts_a_step=2, samples=4)")
    lab.do(NAME, "shells[0].steps = 1000")

    def steps():
        return lab.ask(NAME, "len(learning.history.reward)")

    shell.get_by_role("button", name="Start").click()
    shell.get_by_text("Training.", exact=True).wait_for()
    shell.locator("svg").nth(1).wait_for()
    assert shell.locator("svg").nth(0).get_attribute("aria-label").startswith("Reward over ")
    assert shell.locator("svg").nth(1).get_attribute("aria-label").startswith("Length over ")
    seen = steps()
    for _ in range(300):
        if steps() > seen:
            break
        page.wait_for_timeout(100)
    assert steps() > seen > 0

    shell.get_by_role("button", name="Stop").click()
    shell.get_by_text("Stopped. What was learned is kept").wait_for()
    ended = steps()
    shell.get_by_text(f"{ended:,} of 1,000").or_(
        shell.get_by_text(f"{ended} of 1000")
    ).first.wait_for()
    assert shell.get_by_role("button", name="Start").is_enabled()
    page.wait_for_timeout(300)
    assert steps() == ended < 1000
    assert page.complaints == []
