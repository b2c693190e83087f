#include "grid/directory/watch_view.h"

#include <algorithm>

namespace grid {

WatchView::WatchView(Selector selector, size_t max_events)
    : selector_(std::move(selector)), max_events_(std::max<size_t>(max_events, 1)) {}

void WatchView::Reset(std::vector<Entry> entries) {
  known_.clear();
  for (Entry& entry : entries) {
    if (!selector_.Matches(entry)) continue;
    Key key(entry.name, entry.epoch);
    known_.insert_or_assign(std::move(key), std::move(entry));
  }
  events_.clear();
  filled_ = true;
  whole_ = true;
}

void WatchView::Put(const Entry& entry) {
  // One whose attributes fit no longer has gone, as far as this watch is concerned.
  if (!selector_.Matches(entry)) return Remove(entry.name, entry.epoch);
  const auto [at, added] = known_.try_emplace(Key(entry.name, entry.epoch), entry);
  if (added) return Push(WatchEvent::Kind::kAdded, entry);
  if (at->second == entry) return;
  at->second = entry;
  Push(WatchEvent::Kind::kChanged, entry);
}

void WatchView::Remove(const Name& name, uint64_t epoch) {
  const auto found = known_.find(Key(name, epoch));
  if (found == known_.end()) return;
  const Entry entry = std::move(found->second);
  known_.erase(found);
  Push(WatchEvent::Kind::kRemoved, entry);
}

WatchEvent WatchView::Take() {
  if (!whole_) {
    WatchEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  whole_ = false;
  return {.kind = std::exchange(told_, true) ? WatchEvent::Kind::kResynchronised
                                             : WatchEvent::Kind::kSnapshot,
          .entries = Entries()};
}

std::vector<Entry> WatchView::Entries() const {
  std::vector<Entry> entries;
  entries.reserve(known_.size());
  for (const auto& [key, entry] : known_) entries.push_back(entry);
  return entries;
}

void WatchView::Push(WatchEvent::Kind kind, const Entry& entry) {
  if (whole_ || !filled_) return;  // told with the rest
  if (events_.size() == max_events_) {
    events_.clear();
    whole_ = true;
    ++coalesced_;
    return;
  }
  events_.push_back({.kind = kind, .entries = {entry}});
}

}  // namespace grid
