#include "handlers/handler_table.h"

#include <mutex>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace grid {
namespace {

// "handler 9" or `handler 9 on subroute "a/b"`, for statuses.
std::string Describe(const HandlerEntry& entry) {
  std::string text = absl::StrCat("handler ", entry.id.value());
  if (!entry.subroute.empty()) {
    absl::StrAppend(&text, " on subroute \"", absl::CHexEscape(entry.subroute.substr(0, 200)),
                    "\"");
  }
  return text;
}

bool HasFunction(const HandlerEntry& entry) {
  return std::visit([](const auto& function) { return static_cast<bool>(function); },
                    entry.function);
}

absl::Status Validate(const HandlerEntry& entry, const DictionaryIds& dictionaries) {
  if (!entry.id.valid()) {
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(entry), ": the handler id must be 1 to ", HandlerId::kMax));
  }
  if (entry.subroute.size() > Registrar::kMaxSubroute) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(entry), ": the subroute has ",
                                                   entry.subroute.size(), " bytes, more than ",
                                                   Registrar::kMaxSubroute));
  }
  if (!HasFunction(entry)) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(entry), ": the function is empty"));
  }
  if (entry.is_stream() && entry.out_capacity == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(entry), ": out_capacity must be at least 1"));
  }
  if (entry.is_stream() && (entry.window.messages == 0 || entry.window.bytes == 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(entry), ": the window must hold a message and a byte"));
  }
  if (const uint32_t id = entry.compression.dictionary; id != 0 && !dictionaries.contains(id)) {
    return absl::InvalidArgumentError(absl::StrCat(Describe(entry), ": there is no dictionary ", id,
                                                   " among ManagerOptions::dictionaries"));
  }
  return absl::OkStatus();
}

HandlerEntry MakeEntry(SingleSpec spec, RunOn run_on, decltype(HandlerEntry::function) function) {
  return {.id = spec.id,
          .subroute = std::move(spec.subroute),
          .run_on = run_on,
          .priority = spec.priority,
          .compression = spec.compression,
          .function = std::move(function)};
}

HandlerEntry MakeEntry(StreamSpec spec, RunOn run_on, decltype(HandlerEntry::function) function) {
  return {.id = spec.id,
          .subroute = std::move(spec.subroute),
          .run_on = run_on,
          .priority = spec.priority,
          .in_capacity = spec.in_capacity,
          .out_capacity = spec.out_capacity,
          .window = spec.window,
          .compression = spec.compression,
          .read_pieces = spec.read_pieces,
          .function = std::move(function)};
}

}  // namespace

absl::Status HandlerTable::RegisterSingle(SingleSpec spec, SingleFunction function) {
  const RunOn run_on = spec.run_on;
  return Add(MakeEntry(std::move(spec), run_on, std::move(function)));
}

absl::Status HandlerTable::RegisterSingle(SingleSpec spec, SingleCoroutine function) {
  return Add(MakeEntry(std::move(spec), RunOn::kIoThread, std::move(function)));
}

absl::Status HandlerTable::RegisterSingle(SingleSpec spec, SingleStarter function) {
  return Add(MakeEntry(std::move(spec), RunOn::kIoThread, std::move(function)));
}

absl::Status HandlerTable::RegisterStream(StreamSpec spec, StreamFunction function) {
  return Add(MakeEntry(std::move(spec), RunOn::kWorkerPool, std::move(function)));
}

absl::Status HandlerTable::RegisterStream(StreamSpec spec, StreamCoroutine function) {
  return Add(MakeEntry(std::move(spec), RunOn::kIoThread, std::move(function)));
}

absl::Status HandlerTable::RegisterStream(StreamSpec spec, StreamStarter function) {
  return Add(MakeEntry(std::move(spec), RunOn::kIoThread, std::move(function)));
}

absl::Status HandlerTable::Add(HandlerEntry entry) {
  if (absl::Status valid = Validate(entry, dictionaries_); !valid.ok()) return valid;
  auto owned = std::make_unique<const HandlerEntry>(std::move(entry));
  const HandlerEntry* added = owned.get();
  const uint16_t id = added->id.value();

  std::unique_lock lock(mutex_);
  if (added->subroute.empty()) {
    const HandlerEntry* none = nullptr;
    if (!PageOf(id)[id & 255].compare_exchange_strong(none, added, std::memory_order_release,
                                                      std::memory_order_relaxed)) {
      return absl::AlreadyExistsError(absl::StrCat(Describe(*added), " is registered already"));
    }
  } else if (!by_subroute_.emplace(MakeSubrouteId(added->subroute, id), added).second) {
    return absl::AlreadyExistsError(absl::StrCat(Describe(*added), " is registered already"));
  }
  entries_.push_back(std::move(owned));
  return absl::OkStatus();
}

HandlerTable::Page& HandlerTable::PageOf(uint16_t id) {
  if (id < first_page_.size()) return first_page_;
  std::atomic<Page*>& page = pages_[id >> 8];
  if (page.load(std::memory_order_relaxed) == nullptr) {
    page.store(more_pages_.emplace_back(std::make_unique<Page>()).get(), std::memory_order_release);
  }
  return *page.load(std::memory_order_relaxed);
}

const HandlerEntry* HandlerTable::Find(uint16_t handler, const uint8_t* subroute) const {
  if (subroute == nullptr) {
    const Page* const page = pages_[handler >> 8].load(std::memory_order_acquire);
    return page == nullptr ? nullptr : (*page)[handler & 255].load(std::memory_order_acquire);
  }
  std::shared_lock lock(mutex_);
  const auto found = by_subroute_.find(SubrouteId::FromBytes(subroute));
  return found == by_subroute_.end() ? nullptr : found->second;
}

}  // namespace grid
