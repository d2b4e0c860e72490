//! Pictures of a graph. The same graph gives the same bytes; one that does not pass its checks is
//! drawn as well, without the edges that have an unknown end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Exit, Graph, Node, NodeKind};

/// The edges between two nodes, drawn as one.
struct Bundle {
    from: usize,
    to: usize,
    labels: Vec<String>,
    /// Where the first of them stands among the exits of its kind: the first one is the main way.
    exit: usize,
}

/// The edges by their ends, in the order in which a kind lists its exits.
fn bundles(graph: &Graph, index: &BTreeMap<&str, usize>) -> Vec<Bundle> {
    let mut all: Vec<Bundle> = Vec::new();
    let mut known: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for edge in &graph.edges {
        let (Some(&from), Some(&to)) = (index.get(&*edge.from), index.get(&*edge.to)) else { continue };
        let label = match edge.limit {
            Some(limit) => format!("{} (at most {limit})", edge.on),
            None => edge.on.to_string(),
        };
        let exits = graph.nodes.get(&edge.from).map_or(&[][..], |node| node.kind.exits());
        let exit = exits.iter().position(|exit| exit.on == edge.on).unwrap_or(exits.len());
        let at = *known.entry((from, to)).or_insert(all.len());
        match all.get_mut(at) {
            Some(bundle) => {
                bundle.labels.push(label);
                bundle.exit = bundle.exit.min(exit);
            }
            None => all.push(Bundle { from, to, labels: vec![label], exit }),
        }
    }
    all.sort_by_key(|bundle| (bundle.from, bundle.exit, bundle.to));
    all
}

/// The interrupts by their target.
fn interrupts(graph: &Graph, index: &BTreeMap<&str, usize>) -> Vec<(usize, Vec<Exit>)> {
    let mut all: BTreeMap<usize, Vec<Exit>> = BTreeMap::new();
    for edge in &graph.interrupts {
        if let Some(&to) = index.get(&*edge.to) {
            all.entry(to).or_default().push(edge.on);
        }
    }
    all.into_iter().collect()
}

fn joined(words: &[impl ToString]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn numbered(graph: &Graph) -> (Vec<(&str, &Node)>, BTreeMap<&str, usize>) {
    let nodes: Vec<(&str, &Node)> = graph.nodes.iter().map(|(name, node)| (&**name, node)).collect();
    let index = nodes.iter().enumerate().map(|(index, (name, _))| (*name, index)).collect();
    (nodes, index)
}

/// The graph as a Mermaid flowchart.
pub fn mermaid(graph: &Graph) -> String {
    let (nodes, index) = numbered(graph);
    let mut out = String::from("flowchart TD\n");
    for (id, (name, node)) in nodes.iter().enumerate() {
        let mut label = mermaid_text(name);
        if *name != node.kind.name() {
            label.push_str(&format!("<br/>{}", node.kind));
        }
        let (open, close, class) = match node.kind {
            NodeKind::Intake => ("([", "])", ":::start"),
            kind if kind.is_terminal() => ("(((", ")))", ":::terminal"),
            kind if kind.waits() => ("{{", "}}", ":::waiting"),
            _ => ("[", "]", ""),
        };
        out.push_str(&format!("    n{id}{open}\"{label}\"{close}{class}\n"));
    }
    for bundle in bundles(graph, &index) {
        out.push_str(&format!("    n{} -->|\"{}\"| n{}\n", bundle.from, joined(&bundle.labels), bundle.to));
    }
    let interrupts = interrupts(graph, &index);
    if !interrupts.is_empty() {
        out.push_str("    any[\"any node\"]:::any\n");
    }
    for (to, rules) in interrupts {
        out.push_str(&format!("    any -.->|\"{}\"| n{to}\n", joined(&rules)));
    }
    out.push_str(
        "    classDef start fill:#e8f3ec,stroke:#4f8a5b\n    classDef waiting fill:#fdf4e3,stroke:#b5802a\n    \
         classDef terminal fill:#eceff3,stroke:#4b5563,stroke-width:2px\n    \
         classDef any fill:#ffffff,stroke:#6b7280,stroke-dasharray:4 3\n",
    );
    out
}

/// What Mermaid would read as syntax, as its own character codes.
fn mermaid_text(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | ' ' => out.push(c),
            _ => out.push_str(&format!("#{};", u32::from(c))),
        }
    }
    out
}

// All lengths are whole pixels. Text is measured by its characters, with room to spare: a picture
// must not depend on the fonts of whoever makes it.
const LETTER: usize = 7;
const LINE: usize = 15;
const PORT: usize = 12;
const GAP: usize = 46;
const LANE: usize = 20;
const MARGIN: usize = 24;
const TOP: usize = 84;
/// Longest line of a label, in characters.
const WRAP: usize = 36;

const LINES: [&str; 8] = ["#4b5563", "#a8651a", "#2f6ea5", "#4f8a5b", "#7d5ba6", "#a6475e", "#2f8a8a", "#7a7424"];

/// Where a node stands, and what leaves it.
struct Row {
    /// None for the box from which the interrupts leave.
    node: Option<usize>,
    spine: bool,
    right: Vec<Port>,
    left: Vec<Port>,
    /// Whether a rail ends at this side.
    enters_right: bool,
    enters_left: bool,
    top: usize,
    height: usize,
}

/// Where an edge leaves its box.
struct Port {
    to: usize,
    lines: Vec<String>,
    y: usize,
}

/// The vertical line that collects everything with one target on one side.
struct Rail {
    to: usize,
    from_y: usize,
    to_y: usize,
    lane: usize,
}

/// The graph as a picture that needs nothing else.
///
/// One node a row, by the longest way from the intake. The main way runs straight down; what skips
/// rows goes along the right side, what turns back along the left, one rail for each target.
pub fn svg(graph: &Graph) -> String {
    let (nodes, index) = numbered(graph);
    let bundles = bundles(graph, &index);
    let interrupts = interrupts(graph, &index);
    let order = Order::of(&nodes, &bundles);
    let mut rows: Vec<Row> = Vec::new();
    if !interrupts.is_empty() {
        rows.push(Row::new(None, false));
    }
    rows.extend(order.rows.iter().map(|&node| Row::new(Some(node), order.spine.contains(&node))));
    let row_of: BTreeMap<usize, usize> =
        rows.iter().enumerate().filter_map(|(row, at)| at.node.map(|node| (node, row))).collect();
    let next_on_spine: BTreeMap<usize, usize> =
        order.spine.iter().copied().zip(order.spine.iter().copied().skip(1)).collect();
    let mut straight: Vec<(usize, usize, Vec<String>)> = Vec::new();
    for (to, rules) in &interrupts {
        rows[0].right.push(Port { to: row_of[to], lines: wrapped(rules), y: 0 });
    }
    for bundle in &bundles {
        let (from, to) = (row_of[&bundle.from], row_of[&bundle.to]);
        let lines = wrapped(&bundle.labels);
        if next_on_spine.get(&bundle.from) == Some(&bundle.to) {
            straight.push((from, to, lines));
        } else if to > from {
            rows[from].right.push(Port { to, lines, y: 0 });
        } else {
            rows[from].left.push(Port { to, lines, y: 0 });
        }
    }
    for row in 0..rows.len() {
        rows[row].enters_right = rows.iter().any(|other| other.right.iter().any(|port| port.to == row));
        rows[row].enters_left = rows.iter().any(|other| other.left.iter().any(|port| port.to == row));
    }
    place(&mut rows, &nodes);

    let longest = |ports: fn(&Row) -> &Vec<Port>| {
        let lines = rows.iter().flat_map(ports).flat_map(|port| &port.lines);
        lines.map(|line| line.chars().count() * LETTER).max().unwrap_or(0)
    };
    let (left_label, right_label) = (longest(|row| &row.left), longest(|row| &row.right));
    let texts = rows.iter().flat_map(|row| row.texts(&nodes));
    let width = texts.map(|text| text.chars().count() * 8 + 36).max().unwrap_or(0).max(190);
    let shift = if rows.iter().all(|row| row.spine) { 0 } else { width / 2 + 28 };
    let (left_rails, left_lanes) = rails(&rows, |row| &row.left);
    let (right_rails, right_lanes) = rails(&rows, |row| &row.right);
    let column = MARGIN + left_lanes * LANE + left_label + 28;
    let lane_right = column + width + shift + right_label + 28;
    let picture = Picture {
        nodes: &nodes,
        rows: rows.len(),
        width,
        column,
        shift,
        lane_left: column - left_label - 28,
        lane_right,
        total_width: (lane_right + right_lanes * LANE + MARGIN).max(760),
    };

    let bottom = rows.last().map_or(TOP, |row| row.top + row.height) + MARGIN;
    let mut out = picture.head(graph, bottom);
    for (rails, right) in [(&right_rails, true), (&left_rails, false)] {
        for rail in rails {
            picture.rail(&mut out, rail, right);
        }
    }
    for (from, to, _) in &straight {
        picture.down(&mut out, &rows[*from], &rows[*to]);
    }
    for (rails, right) in [(&right_rails, true), (&left_rails, false)] {
        for row in &rows {
            for port in if right { &row.right } else { &row.left } {
                picture.stub(&mut out, row, port, rails, right);
            }
        }
        for rail in rails {
            picture.arrival(&mut out, &rows[rail.to], rail, right);
        }
    }
    for row in &rows {
        picture.node(&mut out, row);
    }
    for (from, _, lines) in &straight {
        let row = &rows[*from];
        let at = (picture.centre() + 8, row.top + row.height + 17);
        picture.label(&mut out, lines, at, "start", LINES[0]);
    }
    for row in &rows {
        for (ports, right) in [(&row.right, true), (&row.left, false)] {
            for port in ports {
                // Left of the main way even where the box stands beside it.
                let (x, anchor) =
                    if right { (picture.side(row, true) + 10, "start") } else { (picture.column - 10, "end") };
                let y = port.y - 6 - (port.lines.len() - 1) * LINE;
                picture.label(&mut out, &port.lines, (x, y), anchor, picture.colour(port.to));
            }
        }
    }
    out.push_str("</svg>\n");
    out
}

/// The rows from top to bottom, and the main way through them.
struct Order {
    rows: Vec<usize>,
    spine: Vec<usize>,
}

impl Order {
    fn of(nodes: &[(&str, &Node)], bundles: &[Bundle]) -> Self {
        let mut ways: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for bundle in bundles {
            ways[bundle.from].push(bundle.to);
        }
        // Depth first from the intake, then from whatever is left, without recursion: a graph that
        // was not checked may be of any size.
        let intakes = (0..nodes.len()).filter(|&node| nodes[node].1.kind == NodeKind::Intake);
        let mut seen = vec![false; nodes.len()];
        let mut finished = vec![false; nodes.len()];
        let mut turns_back: BTreeSet<(usize, usize)> = BTreeSet::new();
        let mut postorder = Vec::new();
        for start in intakes.chain(0..nodes.len()) {
            if seen[start] {
                continue;
            }
            seen[start] = true;
            let mut stack = vec![(start, 0)];
            while let Some((node, way)) = stack.last_mut() {
                let Some(&to) = ways[*node].get(*way) else {
                    finished[*node] = true;
                    postorder.push(*node);
                    stack.pop();
                    continue;
                };
                *way += 1;
                if !seen[to] {
                    seen[to] = true;
                    stack.push((to, 0));
                } else if !finished[to] {
                    turns_back.insert((*node, to));
                }
            }
        }
        let mut rank = vec![0; nodes.len()];
        for &node in postorder.iter().rev() {
            for &to in ways[node].iter().filter(|&&to| !turns_back.contains(&(node, to))) {
                rank[to] = rank[to].max(rank[node] + 1);
            }
        }
        // The main way: always the first exit that does not turn back.
        let mut spine: Vec<usize> = Vec::new();
        let mut at = (0..nodes.len()).find(|&node| nodes[node].1.kind == NodeKind::Intake);
        while let Some(node) = at {
            spine.push(node);
            at = ways[node].iter().copied().find(|&to| !turns_back.contains(&(node, to)));
        }
        let mut rows: Vec<usize> = (0..nodes.len()).collect();
        // Beside the main way first, so that the row above can still be its source.
        rows.sort_by_key(|&node| (rank[node], spine.contains(&node), nodes[node].1.kind, node));
        Order { rows, spine }
    }
}

impl Row {
    fn new(node: Option<usize>, spine: bool) -> Self {
        Row {
            node,
            spine,
            right: Vec::new(),
            left: Vec::new(),
            enters_right: false,
            enters_left: false,
            top: 0,
            height: 0,
        }
    }

    /// The lines in its box, the name first.
    fn texts(&self, nodes: &[(&str, &Node)]) -> Vec<String> {
        let Some((name, node)) = self.node.map(|node| nodes[node]) else { return vec!["any node".to_owned()] };
        let mut texts = vec![name.to_owned()];
        if name != node.kind.name() {
            texts.push(format!("({})", node.kind));
        }
        // A phase that only repeats the kind says nothing new.
        texts.extend(node.phases.iter().map(|phase| phase.name().to_owned()).filter(|phase| phase != node.kind.name()));
        texts
    }
}

/// Gives every row its place and every port its height.
fn place(rows: &mut [Row], nodes: &[(&str, &Node)]) {
    let mut top = TOP;
    for row in rows {
        row.top = top;
        let side = |ports: &mut Vec<Port>, enters: bool| {
            let mut y = top + if enters { 22 } else { 4 };
            for port in ports {
                y += port.lines.len() * LINE + PORT;
                port.y = y - 5;
            }
            y + 4 - top
        };
        let texts = row.texts(nodes).len() * LINE + 22;
        row.height = side(&mut row.right, row.enters_right).max(side(&mut row.left, row.enters_left)).max(texts);
        top += row.height + GAP;
    }
}

/// One rail for each target, the short ones nearest to the boxes; how many lanes they need.
fn rails(rows: &[Row], ports: fn(&Row) -> &Vec<Port>) -> (Vec<Rail>, usize) {
    let mut by_target: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for port in rows.iter().flat_map(ports) {
        let entry = rows[port.to].top + 16;
        let (from, to) = by_target.entry(port.to).or_insert((entry, entry));
        *from = (*from).min(port.y);
        *to = (*to).max(port.y);
    }
    let mut rails: Vec<Rail> =
        by_target.into_iter().map(|(to, (from_y, to_y))| Rail { to, from_y, to_y, lane: 0 }).collect();
    rails.sort_by_key(|rail| (rail.to_y - rail.from_y, rail.to));
    let mut lanes: Vec<Vec<(usize, usize)>> = Vec::new();
    for rail in &mut rails {
        let free = lanes
            .iter()
            .position(|lane| lane.iter().all(|&(from, to)| rail.to_y + LANE < from || to + LANE < rail.from_y));
        rail.lane = free.unwrap_or(lanes.len());
        if rail.lane == lanes.len() {
            lanes.push(Vec::new());
        }
        lanes[rail.lane].push((rail.from_y, rail.to_y));
    }
    (rails, lanes.len())
}

/// Labels side by side, in lines that are not too long.
fn wrapped(words: &[impl ToString]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let word = format!("{}{}", word.to_string(), if index + 1 < words.len() { "," } else { "" });
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WRAP => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

/// Everything the parts of the picture have to agree on.
struct Picture<'a> {
    nodes: &'a [(&'a str, &'a Node)],
    rows: usize,
    width: usize,
    column: usize,
    shift: usize,
    lane_left: usize,
    lane_right: usize,
    total_width: usize,
}

impl Picture<'_> {
    /// Neighbouring targets get different colours; the last row, where most ends, a quiet one.
    fn colour(&self, row: usize) -> &'static str {
        LINES[(self.rows - 1).saturating_sub(row) % LINES.len()]
    }

    fn centre(&self) -> usize {
        self.column + self.width / 2
    }

    fn left(&self, row: &Row) -> usize {
        if row.spine { self.column } else { self.column + self.shift }
    }

    fn side(&self, row: &Row, right: bool) -> usize {
        if right { self.left(row) + self.width } else { self.left(row) }
    }

    fn lane(&self, rail: &Rail, right: bool) -> usize {
        if right { self.lane_right + rail.lane * LANE } else { self.lane_left - rail.lane * LANE }
    }

    fn head(&self, graph: &Graph, bottom: usize) -> String {
        let (width, name) = (self.total_width, xml(&graph.name));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {bottom}\" width=\"{width}\" \
             height=\"{bottom}\" font-family=\"system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif\" \
             font-size=\"12\" role=\"img\">\n<title>Workflow graph {name}, version {}</title>\n\
             <rect width=\"{width}\" height=\"{bottom}\" fill=\"#ffffff\"/>\n",
            graph.version
        );
        out.push_str(&format!(
            "<text x=\"{MARGIN}\" y=\"34\" font-size=\"17\" font-weight=\"600\" fill=\"#1f2937\">{name}</text>\n\
             <text x=\"{MARGIN}\" y=\"54\" fill=\"#6b7280\">version {} · {} nodes · {} edges · {} interrupts · \
             green starts, amber waits for an answer, a thick border ends the run, dashes: \
             wherever the run stands</text>\n",
            graph.version,
            graph.nodes.len(),
            graph.edges.len(),
            graph.interrupts.len(),
        ));
        out
    }

    fn line(&self, out: &mut String, (x1, y1): (usize, usize), (x2, y2): (usize, usize), colour: &str, dashed: bool) {
        let dashes = if dashed { " stroke-dasharray=\"4 3\"" } else { "" };
        out.push_str(&format!(
            "<path d=\"M{x1} {y1}L{x2} {y2}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\"{dashes}/>\n"
        ));
    }

    /// A white line under one that is to be seen as crossing others, not joining them.
    fn halo(&self, out: &mut String, y: usize, from: usize, to: usize) {
        out.push_str(&format!("<path d=\"M{from} {y}L{to} {y}\" stroke=\"#ffffff\" stroke-width=\"5\"/>\n"));
    }

    fn rail(&self, out: &mut String, rail: &Rail, right: bool) {
        let x = self.lane(rail, right);
        self.line(out, (x, rail.from_y), (x, rail.to_y), self.colour(rail.to), false);
    }

    /// From a box to the rail of its target.
    fn stub(&self, out: &mut String, row: &Row, port: &Port, rails: &[Rail], right: bool) {
        let Some(rail) = rails.iter().find(|rail| rail.to == port.to) else { return };
        let (from, to, y) = (self.side(row, right), self.lane(rail, right), port.y);
        let colour = self.colour(port.to);
        self.halo(out, y, from, if right { to - 5 } else { to + 5 });
        self.line(out, (from, y), (to, y), colour, row.node.is_none());
        out.push_str(&format!("<circle cx=\"{to}\" cy=\"{y}\" r=\"2.6\" fill=\"{colour}\"/>\n"));
    }

    /// From a rail into its target.
    fn arrival(&self, out: &mut String, row: &Row, rail: &Rail, right: bool) {
        let (from, to, y) = (self.lane(rail, right), self.side(row, right), row.top + 16);
        let colour = self.colour(rail.to);
        self.halo(out, y, if right { from - 5 } else { from + 5 }, to);
        self.line(out, (from, y), (if right { to + 6 } else { to - 6 }, y), colour, false);
        let back = if right { to + 9 } else { to - 9 };
        let (above, below) = (y - 5, y + 5);
        out.push_str(&format!("<path d=\"M{to} {y}L{back} {above}L{back} {below}Z\" fill=\"{colour}\"/>\n"));
    }

    /// The main way from one box to the next one.
    fn down(&self, out: &mut String, from: &Row, to: &Row) {
        let (x, end) = (self.centre(), to.top);
        self.line(out, (x, from.top + from.height), (x, end - 6), LINES[0], false);
        let (left, right, above) = (x - 5, x + 5, end - 9);
        out.push_str(&format!("<path d=\"M{x} {end}L{left} {above}L{right} {above}Z\" fill=\"{}\"/>\n", LINES[0]));
    }

    fn node(&self, out: &mut String, row: &Row) {
        let (x, y, width, height) = (self.left(row), row.top, self.width, row.height);
        let kind = row.node.map(|node| self.nodes[node].1.kind);
        let (fill, stroke, thick, more) = match kind {
            None => ("#ffffff", "#6b7280", "1.4", " stroke-dasharray=\"4 3\""),
            Some(NodeKind::Intake) => ("#e8f3ec", "#4f8a5b", "1.6", ""),
            Some(kind) if kind.is_terminal() => ("#eceff3", "#4b5563", "3", ""),
            Some(kind) if kind.waits() => ("#fdf4e3", "#b5802a", "1.6", ""),
            Some(_) => ("#f5f8fc", "#8098b3", "1.4", ""),
        };
        let style = format!("fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"{thick}\"{more}");
        if kind.is_some_and(NodeKind::waits) {
            // Cut corners.
            let (right, bottom) = (x + width, y + height);
            out.push_str(&format!(
                "<path d=\"M{} {y}H{}L{right} {}V{}L{} {bottom}H{}L{x} {}V{}Z\" {style}/>\n",
                x + 12,
                right - 12,
                y + 12,
                bottom - 12,
                right - 12,
                x + 12,
                bottom - 12,
                y + 12,
            ));
        } else {
            let round = if matches!(kind, Some(NodeKind::Intake | NodeKind::Terminate)) { 20 } else { 5 };
            out.push_str(&format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\" {style}/>\n"
            ));
        }
        let texts = row.texts(self.nodes);
        let middle = x + width / 2;
        let mut line = y + height / 2 + 4 - (texts.len() - 1) * LINE / 2;
        for (index, text) in texts.iter().enumerate() {
            let look = if index == 0 {
                "font-size=\"14\" font-weight=\"600\" fill=\"#1f2937\""
            } else {
                "font-size=\"11\" fill=\"#6b7280\""
            };
            out.push_str(&format!(
                "<text x=\"{middle}\" y=\"{line}\" text-anchor=\"middle\" {look}>{}</text>\n",
                xml(text)
            ));
            line += LINE;
        }
    }

    fn label(&self, out: &mut String, lines: &[String], (x, y): (usize, usize), anchor: &str, colour: &str) {
        for (line, y) in lines.iter().zip((y..).step_by(LINE)) {
            // The white border keeps a label legible where a line passes behind it.
            out.push_str(&format!(
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" fill=\"{colour}\" stroke=\"#ffffff\" \
                 stroke-width=\"3\" paint-order=\"stroke\">{}</text>\n",
                xml(line)
            ));
        }
    }
}

/// Text between tags. What XML cannot hold is shown as the replacement character.
fn xml(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
