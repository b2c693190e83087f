// WatchView: what one watch has been told of the entries that a Selector means, and what it is to
// be told next. A state machine without I/O; who fills it and who empties it share a thread or a
// lock.
//
//   WatchView view(selector, 1000);
//   view.Reset(all);  view.Put(entry);  view.Remove(name, epoch);
//   while (view.ready()) Tell(view.Take());
//
// At most `max_events` events wait. When there would be more they are dropped, and the next event
// is all there is: a slow reader costs no more than the entries themselves, and misses steps
// between, never the end.
#ifndef GRID_GRID_DIRECTORY_WATCH_VIEW_H_
#define GRID_GRID_DIRECTORY_WATCH_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "grid/directory/entry.h"
#include "grid/directory/selector.h"

namespace grid {

struct WatchEvent {
  enum class Kind {
    kSnapshot,        // the first: all there is
    kAdded,           // one registration more
    kChanged,         // its attributes are others; same epoch
    kRemoved,         // as it was last seen
    kResynchronised,  // all there is, again: forget what was said before. After the directory was
                      // lost, and for a reader that was too slow
  };
  Kind kind = Kind::kSnapshot;
  // By name, then epoch; one entry for kAdded, kChanged and kRemoved.
  std::vector<Entry> entries = {};
};

class WatchView {
 public:
  WatchView(Selector selector, size_t max_events);

  const Selector& selector() const { return selector_; }

  // All there is; what the selector does not mean is left out, here and below.
  void Reset(std::vector<Entry> entries);
  // One that is new or has changed.
  void Put(const Entry& entry);
  void Remove(const Name& name, uint64_t epoch);

  // Whether there is an event to take. Not before the first Reset.
  bool ready() const { return whole_ || !events_.empty(); }
  WatchEvent Take();

  // Whether there was a Reset; then what is known.
  bool filled() const { return filled_; }
  std::vector<Entry> Entries() const;
  // How often events were dropped because too many waited.
  uint64_t coalesced() const { return coalesced_; }

 private:
  using Key = std::pair<Name, uint64_t>;

  void Push(WatchEvent::Kind kind, const Entry& entry);

  const Selector selector_;
  const size_t max_events_;
  std::map<Key, Entry> known_;
  std::deque<WatchEvent> events_;  // empty while whole_
  bool filled_ = false;
  bool whole_ = false;  // the next event is all there is
  bool told_ = false;   // the snapshot was taken
  uint64_t coalesced_ = 0;
};

}  // namespace grid

#endif  // GRID_GRID_DIRECTORY_WATCH_VIEW_H_
