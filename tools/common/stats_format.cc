#include "tools/common/stats_format.h"

#include <boost/json/value.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "grid/actor/actor_metrics.h"
#include "grid/directory/directory_metrics.h"
#include "grid/membership/membership_metrics.h"
#include "grid/metrics.h"

namespace grid::tools {
namespace {

namespace json = boost::json;

json::object Reasons(const std::map<std::string, uint64_t>& reasons) {
  json::object out;
  for (const auto& [reason, count] : reasons) out[reason] = count;
  return out;
}

template <typename Stats>
void AddFields(absl::Span<const FieldMetric<Stats>> fields, const Stats& stats, json::object& out) {
  for (const auto& [family, value] : fields) {
    out[json::string_view(family.name.data(), family.name.size())] = stats.*value;
  }
}

json::object ToJson(const ConnectionStats& stats) {
  json::object out;
  AddFields(ConnectionMetrics(), stats, out);
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

// The fields of a part that this node has.
template <typename Stats>
void Add(const std::optional<Stats>& stats, absl::Span<const FieldMetric<Stats>> fields,
         json::object& out) {
  if (stats.has_value()) AddFields(fields, *stats, out);
}

template <typename Stats>
void Add(const std::optional<Stats>& stats, MetricsSink& out) {
  if (stats.has_value()) ExportMetrics(*stats, out);
}

absl::string_view Piece(std::string_view text) { return {text.data(), text.size()}; }

class Prometheus final : public MetricsSink {
 public:
  void Begin(const MetricFamily& family) override {
    const bool counter = family.kind == MetricKind::kCounter;
    // By convention counters end in _total.
    name_ = absl::StrCat("grid_", Piece(family.name), counter ? "_total" : "");
    absl::StrAppend(&text_, "# HELP ", name_, " ", Piece(family.help), ".\n# TYPE ", name_, " ",
                    counter ? "counter" : "gauge", "\n");
  }
  void Sample(const MetricFamily&, absl::Span<const MetricLabel> labels,
              MetricValue value) override {
    text_ += name_;
    const char* before = "{";
    for (const MetricLabel& label : labels) {
      absl::StrAppend(
          &text_, before, Piece(label.name), "=\"",
          absl::StrReplaceAll(Piece(label.value), {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}}),
          "\"");
      before = ",";
    }
    if (!labels.empty()) text_ += "}";
    std::visit([this](auto number) { absl::StrAppend(&text_, " ", number, "\n"); }, value);
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace

json::object StatsToJson(const NodeStats& node) {
  const ManagerStats& stats = node.manager;
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
  out["refused"] = Reasons(stats.refused);
  AddFields(ManagerMetrics(), stats, out);
  Add(node.directory, DirectoryMetrics(), out);
  Add(node.registry, RegistryMetrics(), out);
  Add(node.membership, MembershipMetrics(), out);
  Add(node.actors, ActorMetrics(), out);
  Add(node.kinds, KindHostMetrics(), out);
  return out;
}

std::string StatsToPrometheus(const NodeStats& stats) {
  Prometheus out;
  ExportMetrics(stats.manager, out);
  Add(stats.directory, out);
  Add(stats.registry, out);
  Add(stats.membership, out);
  Add(stats.actors, out);
  Add(stats.kinds, out);
  return out.Take();
}

}  // namespace grid::tools
