// What is wider than its frame can be scrolled by keyboard, too.
const mark = () => {
  const frames = ".bd-content pre, .bd-content table, .bd-content div.cell_output, .bd-content div.math";
  for (const node of document.querySelectorAll(frames)) {
    const wide = node.scrollWidth > node.clientWidth + 1;
    if (wide) node.setAttribute("tabindex", "0");
    else if (node.getAttribute("tabindex") === "0") node.removeAttribute("tabindex");
  }
};
addEventListener("load", mark);
addEventListener("resize", mark);
