// HandlerTable: which handler answers to which id and subroute.
//
// A Manager owns one; every connection looks handlers up in it. Lookups without a subroute take no
// lock, others a reader's. Ids above 255 cost 2 KiB for each 256 of which there are any. Entries
// are never removed, so pointers to them stay valid as long as the table.
#ifndef GRID_HANDLERS_HANDLER_TABLE_H_
#define GRID_HANDLERS_HANDLER_TABLE_H_

#include <array>
#include <atomic>
#include <memory>
#include <shared_mutex>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "handlers/registrar.h"
#include "serialization/dictionary_ids.h"
#include "serialization/subroute_id.h"

namespace grid {

struct HandlerEntry {
  HandlerId id{0};
  std::string subroute;
  RunOn run_on = RunOn::kWorkerPool;       // kIoThread for coroutines and starters
  Priority priority = Priority::kDefault;  // of the answers
  uint32_t in_capacity = 0;                // streams only
  uint32_t out_capacity = 0;               // streams only
  StreamWindow window = {};                // streams only
  Compression compression = {};            // of what the handler sends
  bool read_pieces = false;                // streams only
  std::variant<SingleFunction, SingleCoroutine, SingleStarter, StreamFunction, StreamCoroutine,
               StreamStarter>
      function;

  bool is_stream() const { return function.index() >= 3; }
};

class HandlerTable final : public Registrar {
 public:
  HandlerTable() { pages_[0] = &first_page_; }
  HandlerTable(const HandlerTable&) = delete;
  HandlerTable& operator=(const HandlerTable&) = delete;

  // The dictionaries that registrations may name (Compression::dictionary); none at first. Before
  // anything is registered.
  void set_dictionaries(const DictionaryIds& dictionaries) { dictionaries_ = dictionaries; }

  absl::Status RegisterSingle(SingleSpec spec, SingleFunction function) override;
  absl::Status RegisterSingle(SingleSpec spec, SingleCoroutine function) override;
  absl::Status RegisterSingle(SingleSpec spec, SingleStarter function) override;
  absl::Status RegisterStream(StreamSpec spec, StreamFunction function) override;
  absl::Status RegisterStream(StreamSpec spec, StreamCoroutine function) override;
  absl::Status RegisterStream(StreamSpec spec, StreamStarter function) override;

  // The handler of a message; nullptr when there is none. `subroute`: the 32 bytes of the message's
  // trailer, or nullptr. With a subroute the 32 bytes alone decide. Any thread.
  const HandlerEntry* Find(uint16_t handler, const uint8_t* subroute) const;

 private:
  // Those without a subroute, by their id's low byte.
  using Page = std::array<std::atomic<const HandlerEntry*>, 256>;

  absl::Status Add(HandlerEntry entry);
  Page& PageOf(uint16_t id);

  Page first_page_{};
  std::array<std::atomic<Page*>, 256> pages_{};  // by the id's high byte; null: none yet
  DictionaryIds dictionaries_;

  mutable std::shared_mutex mutex_;
  // Guarded by mutex_; so are writes to pages_ and what they hold.
  std::vector<std::unique_ptr<Page>> more_pages_;
  absl::flat_hash_map<SubrouteId, const HandlerEntry*> by_subroute_;
  std::vector<std::unique_ptr<const HandlerEntry>> entries_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_HANDLER_TABLE_H_
