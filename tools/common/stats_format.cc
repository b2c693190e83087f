#include "tools/common/stats_format.h"

#include <boost/json/value.hpp>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace grid::tools {
namespace {

namespace json = boost::json;

struct Field {
  const char* name;
  const char* type;
  const char* help;
  uint64_t ConnectionStats::*value;
};

constexpr Field kFields[] = {
    {"bytes_in", "counter", "Bytes of grid messages received", &ConnectionStats::bytes_in},
    {"bytes_out", "counter", "Bytes of grid messages sent", &ConnectionStats::bytes_out},
    {"messages_in", "counter", "Grid messages received", &ConnectionStats::messages_in},
    {"messages_out", "counter", "Grid messages sent", &ConnectionStats::messages_out},
    {"merged_in", "counter", "Messages received inside a Merged", &ConnectionStats::merged_in},
    {"merged_out", "counter", "Messages sent inside a Merged", &ConnectionStats::merged_out},
    {"writes", "counter", "WebSocket messages written", &ConnectionStats::writes},
    {"outgoing_requests", "gauge", "Requests waiting for an answer",
     &ConnectionStats::outgoing_requests},
    {"incoming_requests", "gauge", "Requests being served", &ConnectionStats::incoming_requests},
    {"outgoing_streams", "gauge", "Streams opened to the peer", &ConnectionStats::outgoing_streams},
    {"incoming_streams", "gauge", "Streams opened by the peer", &ConnectionStats::incoming_streams},
    {"output_bytes", "gauge", "Bytes encoded and not yet written", &ConnectionStats::output_bytes},
    {"connects", "counter", "Connections established", &ConnectionStats::connects},
    {"reconnects", "counter", "Connections established after the first",
     &ConnectionStats::reconnects},
};

json::object Reasons(const std::map<std::string, uint64_t>& reasons) {
  json::object out;
  for (const auto& [reason, count] : reasons) out[reason] = count;
  return out;
}

json::object ToJson(const ConnectionStats& stats) {
  json::object out;
  for (const Field& field : kFields) out[field.name] = stats.*field.value;
  out["round_trip_us"] =
      std::chrono::duration_cast<std::chrono::microseconds>(stats.round_trip).count();
  if (stats.since_last_pong.count() < 0) {
    out["since_last_pong_ms"] = nullptr;
  } else {
    out["since_last_pong_ms"] = stats.since_last_pong.count();
  }
  out["drops"] = Reasons(stats.drops);
  return out;
}

std::string Label(const char* name, const std::string& value) {
  return absl::StrCat(name, "=\"",
                      absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}}),
                      "\"");
}

class Prometheus {
 public:
  void Begin(const char* name, const char* type, const char* help) {
    // By convention counters end in _total.
    name_ = absl::StrCat("grid_", name, absl::string_view(type) == "counter" ? "_total" : "");
    absl::StrAppend(&text_, "# HELP ", name_, " ", help, ".\n# TYPE ", name_, " ", type, "\n");
  }
  template <typename Number>
  void Sample(const std::string& labels, Number value) {
    absl::StrAppend(&text_, name_);
    if (!labels.empty()) absl::StrAppend(&text_, "{", labels, "}");
    absl::StrAppend(&text_, " ", value, "\n");
  }
  template <typename Number>
  void Single(const char* name, const char* type, const char* help, Number value) {
    Begin(name, type, help);
    Sample("", value);
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace

json::object StatsToJson(const ManagerStats& stats) {
  json::object out;
  out["local"] = stats.total.host;
  out["total"] = ToJson(stats.total);
  json::object peers;
  for (const auto& [host, peer] : stats.peers) {
    json::object entry;
    const std::string_view state = ConnectionStateName(peer.state);
    entry["state"] = json::string_view(state.data(), state.size());
    for (auto& item : ToJson(peer)) entry[item.key()] = item.value();
    peers[host] = std::move(entry);
  }
  out["peers"] = std::move(peers);
  out["accepted"] = stats.accepted;
  out["refused"] = Reasons(stats.refused);
  out["handshakes_pending"] = stats.handshakes_pending;
  out["worker_queue"] = stats.worker_queue;
  out["buffer_bytes_in_use"] = stats.buffer_bytes_in_use;
  out["buffer_bytes_retained"] = stats.buffer_bytes_retained;
  return out;
}

std::string StatsToPrometheus(const ManagerStats& stats) {
  Prometheus out;
  const auto each_peer = [&](auto sample) {
    for (const auto& [host, peer] : stats.peers) sample(Label("peer", host), peer);
  };
  for (const Field& field : kFields) {
    out.Begin(field.name, field.type, field.help);
    each_peer([&](const std::string& label, const ConnectionStats& peer) {
      out.Sample(label, peer.*field.value);
    });
  }
  out.Begin("connected", "gauge", "1 while there is a connection");
  each_peer([&](const std::string& label, const ConnectionStats& peer) {
    out.Sample(label, peer.state == ConnectionState::kConnected ? 1 : 0);
  });
  out.Begin("round_trip_seconds", "gauge", "Round trip of the last answered connection ping");
  each_peer([&](const std::string& label, const ConnectionStats& peer) {
    out.Sample(label, std::chrono::duration<double>(peer.round_trip).count());
  });
  out.Begin("since_last_pong_seconds", "gauge",
            "Time since the last pong; missing before the first");
  each_peer([&](const std::string& label, const ConnectionStats& peer) {
    if (peer.since_last_pong.count() < 0) return;
    out.Sample(label, std::chrono::duration<double>(peer.since_last_pong).count());
  });
  out.Begin("drops", "counter", "What was dropped, refused or ignored, and how connections ended");
  each_peer([&](const std::string& label, const ConnectionStats& peer) {
    for (const auto& [reason, count] : peer.drops) {
      out.Sample(absl::StrCat(label, ",", Label("reason", reason)), count);
    }
  });
  out.Begin("refused", "counter", "Incoming connections turned down");
  for (const auto& [reason, count] : stats.refused) out.Sample(Label("reason", reason), count);
  out.Single("accepted", "counter", "Upgraded incoming connections", stats.accepted);
  out.Single("handshakes_pending", "gauge", "Incoming connections in their handshake",
             stats.handshakes_pending);
  out.Single("worker_queue", "gauge", "Handlers waiting for a worker", stats.worker_queue);
  out.Single("buffer_bytes_in_use", "gauge", "Bytes of buffers in use", stats.buffer_bytes_in_use);
  out.Single("buffer_bytes_retained", "gauge", "Bytes of free buffers kept for reuse",
             stats.buffer_bytes_retained);
  return out.Take();
}

}  // namespace grid::tools
