const player = document.querySelector(".player");
const audio = player.querySelector("audio");
const tip = document.querySelector(".tip");
const dots = [...document.querySelectorAll(".map svg a")];
const dotOf = new Map(dots.map((dot) => [dot.dataset.song, dot]));

/* Play a song, show its title, and mark it and similar songs on the map; the same song again pauses it. */

let chosen = null;

function choose(id) {
  const song = document.getElementById(id);
  const alike = song.querySelector(".alike");
  chosen = id;
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
}

function play() {
  audio.play().catch(() => {});
}

function playOrPause(id) {
  if (id === chosen && !audio.paused) return audio.pause();
  if (id !== chosen) choose(id);
  play();
}

function silence() {
  audio.pause();
  audio.currentTime = 0;
}

function showState() {
  for (const button of document.querySelectorAll(".play")) {
    const sounds = button.dataset.song === chosen && !audio.paused;
    button.classList.toggle("playing", sounds);
    button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/^\w+/, sounds ? "Pause" : "Play"));
  }
}

for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, showState);

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const picture = event.target.closest(".spectrogram");
  if (picture) return playFrom(picture, event.clientX);
  const link = event.target.closest("[data-song]");
  if (!link) return;
  event.preventDefault();
  if (link.classList.contains("play")) return playOrPause(link.dataset.song);
  choose(link.dataset.song);
  play();
});

function playFrom(picture, x) {
  const { left, width } = picture.getBoundingClientRect();
  const share = Math.min(Math.max((x - left) / width, 0), 1);
  const seek = () => (audio.currentTime = share * audio.duration);
  if (picture.dataset.shows !== chosen) choose(picture.dataset.shows);
  if (audio.duration) seek();
  else audio.addEventListener("loadedmetadata", seek, { once: true });
  play();
}

/* Space pauses and continues, Escape stops; Space on a song that does not play plays it. */

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen) silence();
  if (event.key !== " " || event.target.closest("button, summary, audio, input")) return;
  const song = event.target.closest("[data-song]")?.dataset.song ?? chosen;
  if (!song) return;
  event.preventDefault();
  playOrPause(song);
});

function showTime() {
  const head = document.querySelector(".spectrogram.playing .head");
  if (head && audio.duration) head.style.left = `${(100 * audio.currentTime) / audio.duration}%`;
}

for (const event of ["timeupdate", "seeked"]) audio.addEventListener(event, showTime);

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

/* Zoom widens the map within its window; marks keep their size, and touch targets are at least 24 px wide. */

const view = document.querySelector(".window");
const map = view.querySelector("svg");
const zooms = [1, 1.5, 2, 3, 4, 6];
const zoomButtons = [...document.querySelectorAll("[data-zoom]")];
let zoom = 0;

function fitMarks() {
  const unit = map.getScreenCTM().a;
  const size = zoom ? 13 : Math.max(9, Math.min(13, 28 * unit));
  map.style.setProperty("--mark", size / (14 * unit));
  map.style.setProperty("--target", `${Math.max(12.5, size) / unit}px`);
}

function zoomBy(way) {
  const before = zooms[zoom];
  const middle = [view.scrollLeft + view.clientWidth / 2, view.scrollTop + view.clientHeight / 2];
  if (zoom === 0) view.style.height = `${view.offsetHeight}px`;
  zoom = Math.max(0, Math.min(zooms.length - 1, zoom + way));
  if (zoom === 0) view.style.height = "";
  map.style.width = `${100 * zooms[zoom]}%`;
  view.classList.toggle("zoomed", zoom > 0);
  const [x, y] = middle.map((place) => (place * zooms[zoom]) / before);
  view.scrollTo(x - view.clientWidth / 2, y - view.clientHeight / 2);
  for (const button of zoomButtons) button.disabled = zoom === (button.dataset.zoom > 0 ? zooms.length - 1 : 0);
  fitMarks();
}

for (const button of zoomButtons) button.addEventListener("click", () => zoomBy(Number(button.dataset.zoom)));
addEventListener("resize", fitMarks);
fitMarks();

/* A click or tap chooses the nearest mark, because targets overlap where marks are close. */

function distance(dot, { clientX, clientY }) {
  const { left, top, width, height } = dot.querySelector("path").getBoundingClientRect();
  return Math.hypot(clientX - left - width / 2, clientY - top - height / 2);
}

map.addEventListener("click", (event) => {
  if (event.detail === 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const nearest = dots.reduce((best, dot) => (distance(dot, event) < distance(best, event) ? dot : best));
  event.preventDefault();
  event.stopPropagation();
  if (distance(nearest, event) > 24) return;
  choose(nearest.dataset.song);
  play();
});

/* A button of the legend shows one genre; a second click shows all genres. */

const buttons = [...document.querySelectorAll(".legend [data-genre]")];
for (const button of buttons) {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") === "false";
    for (const other of buttons) other.setAttribute("aria-pressed", String(on && other === button));
    for (const group of document.querySelectorAll(".map svg g")) {
      group.classList.toggle("faded", on && group.dataset.genre !== button.dataset.genre);
    }
  });
}
