#include "tools/gridnode/admin_pages.h"

#include <boost/json/serialize.hpp>
#include <utility>

namespace grid::tools {
namespace {

constexpr char kConsole[] = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>gridnode</title>
<style>
  body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; }
  table { border-collapse: collapse; margin-bottom: 1.5em; }
  th, td { border: 1px solid #ccc; padding: .25em .6em; text-align: right; }
  th:first-child, td:first-child { text-align: left; }
  .connected { color: #070; } .stale { opacity: .4; }
</style>
<h1 id="local">gridnode</h1>
<p id="note"></p>
<table><thead id="head"></thead><tbody id="peers"></tbody></table>
<h2>Dropped, refused, ignored</h2>
<table><tbody id="drops"></tbody></table>
<h2>Everything</h2>
<pre id="raw"></pre>
<script>
const columns = ["state", "round_trip_us", "since_last_pong_ms", "messages_in", "messages_out",
  "merged_in", "merged_out", "bytes_in", "bytes_out", "writes", "output_bytes",
  "outgoing_requests", "incoming_requests", "outgoing_streams", "incoming_streams", "reconnects"];
const byId = id => document.getElementById(id);
function row(cells, tag) {
  const tr = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement(tag);
    cell.textContent = text === null ? "–" : text;
    if (text === "connected") cell.className = "connected";
    tr.append(cell);
  }
  return tr;
}
async function refresh() {
  try {
    const status = await (await fetch("status.json")).json();
    byId("local").textContent = status.local;
    byId("note").textContent = "as of " + new Date().toLocaleTimeString();
    byId("head").replaceChildren(row(["peer", ...columns.map(c => c.replaceAll("_", " "))], "th"));
    const peers = Object.entries(status.peers);
    byId("peers").replaceChildren(
      ...peers.map(([host, peer]) => row([host, ...columns.map(c => peer[c])], "td")));
    byId("drops").replaceChildren(
      ...peers.flatMap(([host, peer]) =>
        Object.entries(peer.drops).map(([reason, n]) => row([host, reason, n], "td"))),
      ...Object.entries(status.refused).map(([reason, n]) => row(["refused", reason, n], "td")));
    byId("raw").textContent = JSON.stringify(status, null, 2);
    document.body.classList.remove("stale");
  } catch (error) {
    byId("note").textContent = "no answer: " + error;
    document.body.classList.add("stale");
  }
  setTimeout(refresh, 1000);
}
refresh();
</script>
</html>
)html";

}  // namespace

AdminServer::Handler AdminPages(std::function<NodeStats()> stats, const std::atomic<bool>& ready) {
  return [stats = std::move(stats), &ready](std::string_view path) -> Page {
    if (path == "/healthz") return {.body = "ok\n"};
    if (path == "/readyz") {
      return ready ? Page{.body = "ready\n"} : Page{.status = 503, .body = "not ready\n"};
    }
    if (path == "/metrics") {
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
              .body = StatsToPrometheus(stats())};
    }
    if (path == "/status.json") {
      return {.content_type = "application/json",
              .body = boost::json::serialize(StatsToJson(stats())) + "\n"};
    }
    if (path == "/console" || path == "/") {
      return {.content_type = "text/html; charset=utf-8", .body = kConsole};
    }
    return {.status = 404, .body = "no such page\n"};
  };
}

}  // namespace grid::tools
