// Charts with a cursor, by uPlot, in the place of those that the server drew; the table below says the same.
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DAY = { day: "2-digit", month: "short" };

function drawn(place) {
  const said = JSON.parse(place.dataset.plot);
  const isLong = said.end - said.start > 48 * 3600;
  const told = (how) => (seconds) => new Intl.DateTimeFormat("en-GB", { timeZone: said.zone, ...how }).format(new Date(seconds * 1000));
  const tick = told(isLong ? DAY : CLOCK), whole = told({ weekday: "short", ...DAY, ...CLOCK });
  const isCut = (at) => Math.min(at - said.start, said.end - at) * place.clientWidth < 20 * (said.end - said.start);
  const style = getComputedStyle(place);
  const colour = (css) => getComputedStyle(document.querySelector(`.legend .${css}`)).fill;
  const counted = said.series.map(() => []);  // each with those below it
  said.at.forEach((_, at) => {
    let sum = 0;
    said.series.forEach((one, number) => counted[number].push(sum += one.values[at] ?? 0));
  });
  const highestFirst = said.series.map((one, number) => ({ ...one, sums: counted[number] })).reverse();
  return new uPlot({
    width: place.clientWidth,
    height: 190,
    padding: [8, 0, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), said.zone),
    scales: { x: { time: true, range: [said.start, said.end] }, y: { range: (_, __, most) => [0, most || 1] } },
    axes: [
      {
        stroke: style.color,
        grid: { show: false },
        ticks: { stroke: style.borderColor },
        incrs: (isLong ? [24, 48, 120, 240] : [1, 2, 3, 6, 12]).map((hours) => hours * 3600),
        values: (_, all) => all.map((at) => (isCut(at) ? "" : tick(at))),
      },
      { show: false },
    ],
    series: [
      { label: "From", value: (_, seconds) => (seconds == null ? "–" : whole(seconds)) },
      ...highestFirst.map((one) => ({
        label: one.label,
        fill: colour(one.css),
        stroke: colour(one.css),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [0.8, 80], align: 1 }),
        value: (_, __, ___, at) => (at == null ? "–" : one.values[at] == null ? "unknown" : one.values[at].toLocaleString("en")),
      })),
    ],
  }, [said.at, ...highestFirst.map((one) => one.sums)], place);
}

function draw(place) {
  place.querySelectorAll(".uplot").forEach((old) => old.remove());
  const plot = drawn(place);
  place.parentElement.classList.add("is-plotted");
  const follow = new ResizeObserver(() => {
    if (!place.isConnected) return follow.disconnect();
    if (plot.width !== place.clientWidth) plot.setSize({ width: place.clientWidth, height: 190 });
  });
  follow.observe(place);
}

const places = () => document.querySelectorAll("[data-plot]");
places().forEach(draw);
document.addEventListener("htmx:afterSettle", () => places().forEach((place) => place.querySelector(".uplot") || draw(place)));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => places().forEach(draw));
