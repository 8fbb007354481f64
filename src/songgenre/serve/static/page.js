const SVG = "http://www.w3.org/2000/svg";
const element = (id) => document.getElementById(id);
const body = document.body;
const input = document.querySelector("input");
const player = element("player");
const timeline = element("timeline");

let answer = null;
let underWay = null;
let time = 0;

input.addEventListener("change", () => predict(input.files[0]));

for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    body.classList.add("over");
  });
}
addEventListener("dragleave", (event) => event.relatedTarget || body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  body.classList.remove("over");
  predict(event.dataTransfer.files[0]);
});

/** Send a song and show the answer; what was under way for another one is given up. */
async function predict(file) {
  if (!file) return;
  underWay?.abort();
  const mine = (underWay = new AbortController());
  player.pause();
  element("answer").hidden = true;
  tell(`Predicting ${file.name} …`, "");
  try {
    const result = await ask(file, mine.signal);
    if (mine !== underWay) return;
    tell("", "");
    show(file, result);
  } catch (error) {
    if (mine === underWay) tell("", `${file.name}: ${error.message}`);
  } finally {
    if (mine === underWay) input.value = "";
  }
}

async function ask(file, signal) {
  const mostMb = Number(body.dataset.maxMb);
  if (file.size > mostMb * 1e6) throw Error(`${(file.size / 1e6).toFixed(1)} MB exceed the limit of ${mostMb} MB.`);
  const headers = { "Content-Type": "application/octet-stream" };
  let response;
  try {
    response = await fetch("predict", { method: "POST", body: file, headers, signal });
  } catch {
    throw Error("The file cannot be read, or the server does not respond. Check that it is still running.");
  }
  const result = await response.json();
  if (!response.ok) throw Error(result.error);
  return result;
}

function tell(status, error) {
  element("status").textContent = status;
  element("error").textContent = error;
  body.classList.toggle("busy", status !== "");
}

function show(file, result) {
  answer = result;
  answer.genres = Object.keys(result.probabilities).sort((a, b) => result.probabilities[b] - result.probabilities[a]);
  element("name").textContent = file.name;
  element("verdict").textContent = result.verdict;
  element("model").textContent = result.model.replaceAll("_", " ");
  element("window").textContent = result.window_s.toFixed(0);
  element("end").textContent = clock(result.duration_s);
  element("genres").replaceChildren(...answer.genres.map(row));
  timeline.setAttribute("aria-valuemax", result.duration_s.toFixed(1));
  drawBars();
  URL.revokeObjectURL(player.src);
  element("mute").hidden = true;
  player.hidden = false;
  player.src = URL.createObjectURL(file);
  element("answer").hidden = false;
  moveTo(0);
}

function row(genre) {
  const cells = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  const swatch = shape("svg", { class: "swatch", viewBox: "0 0 1 1", "aria-hidden": true });
  swatch.append(shape("rect", { width: 1, height: 1, rx: 0.15, fill: answer.colors[genre] }));
  name.append(swatch, genre);
  const ofSong = document.createElement("td");
  ofSong.textContent = answer.probabilities[genre].toFixed(2);
  cells.append(name, ofSong, document.createElement("td"));
  return cells;
}

function drawBars() {
  const bars = element("bars");
  bars.setAttribute("viewBox", `0 0 ${answer.duration_s} 1`);
  const gap = answer.windows.length > 1 ? Math.min(0.02 * answer.window_s, answer.duration_s / 400) : 0;
  bars.replaceChildren(
    ...answer.windows.flatMap((window) => {
      let top = 1;
      return Object.keys(answer.colors).sort().map((genre) => {
        const height = window.probabilities[genre];
        top -= height;
        const [x, y, width] = [window.start_s, Math.max(top, 0), answer.window_s - gap];
        return shape("rect", { x, y, width, height, fill: answer.colors[genre] });
      });
    }),
  );
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Show a moment of the song: the cursor, and the probabilities of the window there. */
function moveTo(seconds) {
  time = Math.min(Math.max(seconds, 0), answer.duration_s);
  element("cursor").style.left = `${(100 * time) / answer.duration_s}%`;
  element("now").textContent = clock(time);
  const current = answer.windows.findLast(({ start_s }) => start_s <= time && time <= start_s + answer.window_s);
  [...element("genres").rows].forEach((cells, number) => {
    const share = current?.probabilities[answer.genres[number]];
    cells.lastChild.textContent = share === undefined ? "–" : share.toFixed(2);
    cells.classList.toggle("likeliest", share !== undefined && share === Math.max(...Object.values(current.probabilities)));
  });
  const likeliest = current && answer.genres.reduce((a, b) => (current.probabilities[b] > current.probabilities[a] ? b : a));
  timeline.setAttribute("aria-valuenow", time.toFixed(1));
  timeline.setAttribute(
    "aria-valuetext",
    current ? `${clock(time)}, ${likeliest} ${current.probabilities[likeliest].toFixed(2)}` : `${clock(time)}, no prediction`,
  );
}

function seek(seconds) {
  moveTo(seconds);
  player.currentTime = time;
}

function follow() {
  moveTo(player.currentTime);
  if (!player.paused) requestAnimationFrame(follow);
}

player.addEventListener("play", follow);
player.addEventListener("seeked", () => moveTo(player.currentTime));
player.addEventListener("error", () => {
  player.hidden = true;
  element("mute").hidden = false;
});

timeline.addEventListener("pointerdown", (event) => {
  const { left, width } = timeline.getBoundingClientRect();
  seek(((event.clientX - left) / width) * answer.duration_s);
});

timeline.addEventListener("keydown", (event) => {
  const places = {
    ArrowLeft: time - 5,
    ArrowDown: time - 5,
    ArrowRight: time + 5,
    ArrowUp: time + 5,
    PageDown: time - answer.window_s,
    PageUp: time + answer.window_s,
    Home: 0,
    End: answer.duration_s,
  };
  if (event.key === " ") player.paused ? player.play() : player.pause();
  else if (event.key in places) seek(places[event.key]);
  else return;
  event.preventDefault();
});

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
