/* One switch shows the code of all cells. */

const codes = [...document.querySelectorAll(".cells details.code")];
const codeSwitch = document.querySelector(".code-switch");
codeSwitch.hidden = codes.length === 0;
codeSwitch.addEventListener("click", () => {
  const shown = codeSwitch.getAttribute("aria-pressed") === "false";
  codeSwitch.setAttribute("aria-pressed", String(shown));
  document.documentElement.classList.toggle("with-code", shown);
  for (const code of codes) code.open = shown;
});

/* The list of sections marks the one that is read: the last whose heading is in the upper third, or above. */

const entries = [...document.querySelectorAll(".contents a")];
const headings = entries.map((entry) => document.getElementById(decodeURIComponent(entry.hash.slice(1))));

function markSection() {
  const isAtEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
  const read = headings.findLastIndex((heading) => isAtEnd || heading.getBoundingClientRect().top < innerHeight / 3);
  entries.forEach((entry, number) => {
    if (number === read) entry.setAttribute("aria-current", "true");
    else entry.removeAttribute("aria-current");
  });
}

addEventListener("scroll", markSection, { passive: true });
addEventListener("resize", markSection);
markSection();

/* A figure opens enlarged in a dialog, in which it scrolls; Escape closes it. */

const dialog = document.querySelector(".enlarged");
const view = dialog.querySelector(".scroll");

for (const image of document.querySelectorAll("figure > .plot > img")) {
  const caption = image.closest("figure").querySelector("figcaption");
  const name = caption.querySelector("strong").textContent.replace(".", "");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "enlarge" });
  button.textContent = "Enlarge";
  button.setAttribute("aria-label", `Enlarge ${name}`);
  button.addEventListener("click", () => {
    view.replaceChildren(image.cloneNode());
    for (const labelled of [dialog, view]) labelled.setAttribute("aria-label", name);
    dialog.showModal();
    view.scrollTo(0, 0);
  });
  image.addEventListener("click", () => {
    button.focus({ preventScroll: true });
    button.click();
  });
  caption.prepend(button);
}
