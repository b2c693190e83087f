#include "grid/directory/etcd_subscription.h"

namespace grid::internal {
namespace {

using etcd::EntryOf;
using etcd::Pairs;
using etcd::Range;
using etcd::Revision;
using etcd::TextOf;

}  // namespace

void EtcdSubscription::Start() {
  gateway_->Ask("/v3/kv/range", Range(range_.begin, range_.end), attempt_,
                [this, alive = alive_](absl::StatusOr<json::object> answer) {
                  if (*alive) OnSnapshot(std::move(answer));
                });
}

void EtcdSubscription::OnSnapshot(absl::StatusOr<json::object> answer) {
  if (!answer.ok()) return sink_.OnEnd(answer.status());
  std::vector<Entry> entries;
  for (const json::object& pair : Pairs(*answer)) {
    std::optional<Entry> entry = EntryOf(prefix_, pair);
    if (!entry.has_value()) continue;
    epochs_.insert_or_assign(EtcdBytes(pair, "key"), std::pair(entry->name, entry->epoch));
    entries.push_back(*std::move(entry));
  }
  json::object create = Range(range_.begin, range_.end);
  create["start_revision"] = std::to_string(Revision(*answer) + 1);
  stream_ = gateway_->Open(
      "/v3/watch", {{"create_request", std::move(create)}}, attempt_,
      [this](const json::object& result) { OnResult(result); },
      [this](absl::Status why) { sink_.OnEnd(std::move(why)); });
  sink_.OnAll(std::move(entries));
}

void EtcdSubscription::OnResult(const json::object& result) {
  const std::shared_ptr<bool> alive = alive_;
  const json::value* cancelled = result.if_contains("canceled");
  if (cancelled != nullptr && cancelled->is_bool() && cancelled->get_bool()) {
    // What was asked for is forgotten there: begun again, with all there is.
    return sink_.OnEnd(absl::UnavailableError("etcd cancelled the watch"));
  }
  const json::value* events = result.if_contains("events");
  if (events == nullptr || !events->is_array()) return;
  for (const json::value& event : events->get_array()) {
    if (event.is_object()) OnEvent(event.get_object());
    if (!*alive) return;
  }
}

void EtcdSubscription::OnEvent(const json::object& event) {
  const json::object& pair = EtcdObject(event, "kv");
  const std::string key = EtcdBytes(pair, "key");
  const auto known = epochs_.find(key);
  if (TextOf(event, "type") == "DELETE") {
    if (known == epochs_.end()) return;
    const auto [name, epoch] = known->second;
    epochs_.erase(known);
    return sink_.OnRemove(name, epoch);
  }
  std::optional<Entry> entry = EntryOf(prefix_, pair);
  if (!entry.has_value()) return;
  epochs_.insert_or_assign(key, std::pair(entry->name, entry->epoch));
  sink_.OnPut(*std::move(entry));
}

}  // namespace grid::internal
