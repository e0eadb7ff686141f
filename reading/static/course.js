/* One button for all answers of a page; on paper they stand open. Without this script each fold still opens. */

function answers() {
  return document.querySelectorAll("article details:not(figure.play details)");
}

function openAll(open) {
  answers().forEach((fold) => { fold.open = open; });
}

function addButton() {
  const heading = document.querySelector("article h1");
  if (!heading || answers().length === 0) return;
  const chinese = document.documentElement.lang.startsWith("zh");
  const words = chinese ? ["展开所有答案", "收起所有答案"] : ["Show all answers", "Hide all answers"];
  const button = document.createElement("button");
  button.type = "button";
  button.className = "show-answers btn btn-outline-primary btn-sm";
  button.setAttribute("aria-pressed", "false");
  button.textContent = words[0];
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") === "false";
    openAll(open);
    button.setAttribute("aria-pressed", String(open));
    button.textContent = words[Number(open)];
  });
  heading.before(button);
}

/* A formula, a table or code that is wider than the page can be reached by keyboard. */
function makeScrollable() {
  document.querySelectorAll("div.highlight pre, .bd-content table, .output pre").forEach((wide) => {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
  });
}

document.addEventListener("DOMContentLoaded", () => {
  addButton();
  makeScrollable();
});
window.addEventListener("beforeprint", () => openAll(true));
