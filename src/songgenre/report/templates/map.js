const player = document.querySelector(".player");
const audio = player.querySelector("audio");
const tip = document.querySelector(".tip");
const dots = [...document.querySelectorAll(".map svg a")];
const dotOf = new Map(dots.map((dot) => [dot.dataset.song, dot]));

/* Play a song, show its title, and mark it and similar songs on the map. */

function choose(id) {
  const song = document.getElementById(id);
  const alike = song.querySelector(".alike");
  player.hidden = false;
  player.querySelector("strong").textContent = song.dataset.title;
  player.querySelector(".now span").textContent = song.dataset.about;
  player.querySelector(".alike").replaceChildren(...alike.cloneNode(true).childNodes);
  const near = [...alike.querySelectorAll("a")].map((link) => link.dataset.song);
  for (const dot of dots) {
    dot.classList.toggle("chosen", dot.dataset.song === id);
    dot.classList.toggle("near", near.includes(dot.dataset.song));
  }
  stop(dotOf.get(id));
  for (const picture of document.querySelectorAll(".spectrogram")) {
    picture.classList.toggle("playing", picture.dataset.shows === id);
  }
  audio.src = `audio/${id}.mp3`;
  audio.play().catch(() => {});
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-song]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  choose(link.dataset.song);
});

audio.addEventListener("timeupdate", () => {
  const head = document.querySelector(".spectrogram.playing .head");
  if (head && audio.duration) head.style.left = `${(100 * audio.currentTime) / audio.duration}%`;
});

/* The map is one tab stop; an arrow key moves to the nearest song in its direction. */

const places = new Map(dots.map((dot) => [dot, dot.transform.baseVal[0].matrix]));

function stop(dot) {
  for (const other of dots) other.tabIndex = other === dot ? 0 : -1;
}

const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function neighbour(dot, [right, down]) {
  const from = places.get(dot);
  const far = (other) => {
    const x = places.get(other).e - from.e;
    const y = places.get(other).f - from.f;
    const along = x * right + y * down;
    const across = Math.abs(x * down) + Math.abs(y * right);
    return along > 0 && along >= across ? Math.hypot(x, y) : Infinity;
  };
  const best = dots.reduce((nearest, other) => (far(other) < far(nearest) ? other : nearest));
  return far(best) < Infinity ? best : dot;
}

function showTip(dot) {
  const box = dot.getBoundingClientRect();
  const field = tip.parentElement.getBoundingClientRect();
  tip.textContent = dot.getAttribute("aria-label");
  tip.hidden = false;
  const middle = box.left + box.width / 2 - field.left;
  const half = tip.offsetWidth / 2;
  tip.style.left = `${Math.max(half, Math.min(field.width - half, middle))}px`;
  tip.style.top = `${box.top - field.top}px`;
}

for (const dot of dots) {
  for (const event of ["mouseenter", "focus"]) dot.addEventListener(event, () => showTip(dot));
  for (const event of ["mouseleave", "blur"]) dot.addEventListener(event, () => (tip.hidden = true));
  dot.addEventListener("keydown", (event) => {
    if (!ways[event.key]) return;
    event.preventDefault();
    const next = neighbour(dot, ways[event.key]);
    stop(next);
    next.focus();
  });
}
stop(dots[0]);

/* A button of the legend shows one genre; a second click shows all genres. */

const buttons = [...document.querySelectorAll(".legend button")];
for (const button of buttons) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") === "false";
    for (const other of buttons) other.setAttribute("aria-pressed", String(on && other === button));
    for (const group of document.querySelectorAll(".map svg g")) {
      group.classList.toggle("faded", on && group.dataset.genre !== button.dataset.genre);
    }
  });
}
