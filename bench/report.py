"""Writes what was measured: a Markdown table and an SVG plot of grouped bars."""

import html

NAMES = {"redis": "redis-server", "spindle": "spindle-server"}
COLOURS = {"redis": "#9aa5b1", "spindle": "#1f6feb"}


def ratio(values):
    """How many times better (smaller) ours is."""
    return values["redis"] / values["spindle"] if values["spindle"] else float("inf")


def number(value):
    """Three significant digits without an exponent."""
    if value >= 100:
        return "%.0f" % value
    if value >= 10:
        return "%.1f" % value
    return "%.2f" % value if value >= 1 else "%.3f" % value


def table(title, header, rows):
    lines = ["", "## " + title, "", "| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return lines


def write_markdown(path, facts, results):
    lines = ["# Spindle beside redis-server", "", "Medians of one run; compare the ratios (redis-server over ours: above "
             "1 is better here), not the numbers of different runs. README.md says how they are taken.", ""]
    lines += ["- %s: %s" % fact for fact in facts]
    if "cpu" in results:
        rows = []
        for load, pipeline, cost, speed in results["cpu"]:
            rows.append([load.upper(), str(pipeline), number(cost["redis"]), number(cost["spindle"]),
                         "%.2f" % ratio(cost), "{:,.0f}".format(speed["redis"]), "{:,.0f}".format(speed["spindle"]),
                         "%.2f" % (speed["spindle"] / speed["redis"])])
        lines += table("Server processor time per request",
                       ["request", "pipeline", "redis us", "spindle us", "redis/spindle", "redis requests/s",
                        "spindle requests/s", "spindle/redis"], rows)
    if "memory" in results:
        lines += table("Resident bytes", ["of each", "redis", "spindle", "redis/spindle"],
                       [[name, number(row["redis"]), number(row["spindle"]), "%.2f" % ratio(row)]
                        for name, row in results["memory"]])
    if "snapshot" in results:
        lines += table("Snapshots", ["what", "redis", "spindle", "redis/spindle"],
                       [["%s (%s)" % (name, unit), number(row["redis"]), number(row["spindle"]), "%.2f" % ratio(row)]
                        for name, unit, row in results["snapshot"]])
    if "publish" in results:
        lines += table("Server processor time per delivered message",
                       ["subscribers", "publishers", "pipeline", "publisher awaits", "redis us", "spindle us",
                        "redis/spindle"],
                       [["{:,}".format(subscribers), str(publishers), str(pipeline),
                         "deliveries" if awaits else "its reply", number(cost["redis"]),
                         number(cost["spindle"]), "%.2f" % ratio(cost)]
                        for subscribers, publishers, pipeline, awaits, cost in results["publish"]])
    if "transactions" in results:
        lines += table("Server processor time per request in transactions of INCR",
                       ["INCRs", "pipeline", "redis us", "spindle us", "redis/spindle"],
                       [[str(increments), str(pipeline), number(cost["redis"]), number(cost["spindle"]),
                         "%.2f" % ratio(cost)] for increments, pipeline, cost in results["transactions"]])
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


# The plot: one panel per kind of measurement, in each a group of two bars per row. Panels have their own
# scale, because microseconds, bytes and seconds do not compare.

WIDTH = 980
LABEL_WIDTH = 310
BAR_HEIGHT = 13
GROUP_HEIGHT = 2 * BAR_HEIGHT + 12
PANEL_HEAD = 46
MARGIN = 24


def plotted(row):
    """One load as (label, values); an MSET sets ten keys and would dwarf the others."""
    load, _, cost, _ = row
    if load == "mset":
        return "MSET of 10 keys, per key", {kind: value / 10 for kind, value in cost.items()}
    return load.upper(), cost


def panels_of(results):
    """[(title, [(label, values)])]."""
    panels = []
    if "cpu" in results:
        for pipeline in sorted({row[1] for row in results["cpu"]}):
            panels.append(("Server processor time per request, pipeline %d (us)" % pipeline,
                           [plotted(row) for row in results["cpu"] if row[1] == pipeline]))
    if "memory" in results:
        panels.append(("Resident bytes per item", [row for row in results["memory"] if row[0] != "connection, idle"]))
        panels.append(("Resident bytes per idle connection",
                       [row for row in results["memory"] if row[0] == "connection, idle"]))
    if "snapshot" in results:
        for wanted, title in (("s", "Snapshots (seconds)"), ("ms", "Fork stall (ms)"),
                              ("x", "Peak memory during BGSAVE (multiple of before)")):
            panels.append((title, [(name, row) for name, unit, row in results["snapshot"] if unit == wanted]))
    if "publish" in results:
        panels.append(("Server processor time per delivered message (us)",
                       [("%d subscribers, %d x %d published%s" %
                         (subscribers, publishers, pipeline, ", awaited" if awaits else ""), cost)
                        for subscribers, publishers, pipeline, awaits, cost in results["publish"]]))
    if "transactions" in results:
        panels.append(("Server processor time per request in transactions (us)",
                       [("%d INCRs, pipeline %d" % (increments, pipeline), cost)
                        for increments, pipeline, cost in results["transactions"]]))
    return panels


def draw_bar(y, kind, value, scale):
    length = max(1.0, value * scale)
    return ['<rect x="%d" y="%.1f" width="%.1f" height="%d" rx="2" fill="%s"/>' %
            (LABEL_WIDTH, y, length, BAR_HEIGHT - 1, COLOURS[kind]),
            '<text x="%.1f" y="%.1f" class="value">%s</text>' % (LABEL_WIDTH + length + 6, y + BAR_HEIGHT - 3, number(value))]


def draw_panel(top, title, rows):
    """Returns the shapes and the height."""
    largest = max(max(values.values()) for _, values in rows)
    scale = (WIDTH - LABEL_WIDTH - 150) / largest if largest else 0
    shapes = ['<text x="%d" y="%d" class="title">%s</text>' % (MARGIN, top + 22, html.escape(title))]
    y = top + PANEL_HEAD - 10
    for label, values in rows:
        shapes.append('<text x="%d" y="%.1f" class="label">%s</text>' %
                      (LABEL_WIDTH - 10, y + BAR_HEIGHT + 4, html.escape(label)))
        for place, kind in enumerate(("redis", "spindle")):
            shapes += draw_bar(y + place * BAR_HEIGHT, kind, values[kind], scale)
        shapes.append('<text x="%d" y="%.1f" class="ratio">x %.2f</text>' %
                      (WIDTH - MARGIN, y + BAR_HEIGHT + 4, ratio(values)))
        y += GROUP_HEIGHT
    return shapes, PANEL_HEAD + len(rows) * GROUP_HEIGHT


def draw_legend(y):
    shapes = []
    x = LABEL_WIDTH
    for kind, name in NAMES.items():
        shapes.append('<rect x="%d" y="%d" width="14" height="14" rx="2" fill="%s"/>' % (x, y, COLOURS[kind]))
        shapes.append('<text x="%d" y="%d" class="value">%s</text>' % (x + 20, y + 11, name))
        x += 150
    shapes.append('<text x="%d" y="%d" class="ratio">redis / spindle</text>' % (WIDTH - MARGIN, y + 11))
    return shapes


def write_plot(path, results):
    shapes = draw_legend(MARGIN)
    top = MARGIN + 24
    for title, rows in panels_of(results):
        drawn, height = draw_panel(top, title, rows)
        shapes += drawn
        top += height
    head = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' %
            (WIDTH, top + MARGIN, WIDTH, top + MARGIN),
            "<style>text{font-family:system-ui,sans-serif;font-size:12px;fill:#24292f}"
            ".title{font-size:15px;font-weight:600}.label,.ratio{text-anchor:end}.ratio{font-weight:600}"
            "</style>", '<rect width="100%" height="100%" fill="#ffffff"/>']
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(head + shapes + ["</svg>"]) + "\n")
