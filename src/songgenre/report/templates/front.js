const link = document.querySelector(".listen");
const sound = new Audio();
sound.preload = "none";
sound.src = link.href;
link.setAttribute("role", "button");

function showState() {
  link.classList.toggle("playing", !sound.paused);
  link.querySelector(".verb").textContent = sound.paused ? "Play" : "Pause";
}

function toggle() {
  if (sound.paused) sound.play().catch(() => {});
  else sound.pause();
}

link.addEventListener("click", (event) => {
  event.preventDefault();
  toggle();
});
link.addEventListener("keydown", (event) => {
  if (event.key !== " ") return;
  event.preventDefault();
  toggle();
});
for (const event of ["play", "pause", "ended"]) sound.addEventListener(event, showState);
