#include "grid/actor/residents.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "grid/actor/target.h"
#include "handlers/delivery.h"

namespace grid::internal {

namespace {

// As the tables inside have it: they are not to do it once more.
size_t HashOf(absl::string_view name) { return absl::Hash<absl::string_view>()(name); }

}  // namespace

void Residents::Add(const Name& name, uint64_t epoch, std::shared_ptr<LetterBox> box,
                    std::vector<std::string> trusted_callers) {
  uint64_t seen = view_.load();
  while (seen < epoch && !view_.compare_exchange_weak(seen, epoch)) {
  }
  Slot slot{.epoch = epoch, .box = std::move(box)};
  if (!trusted_callers.empty()) {
    slot.trusted = std::make_shared<const std::vector<std::string>>(std::move(trusted_callers));
  }
  Shard& shard = ShardOf(HashOf(name.text()));
  std::lock_guard lock(shard.mutex);
  shard.slots[name.text()].push_back(std::move(slot));
}

void Residents::Remove(const Name& name, uint64_t epoch) {
  Shard& shard = ShardOf(HashOf(name.text()));
  Slot removed;  // goes after the lock
  std::lock_guard lock(shard.mutex);
  const auto found = shard.slots.find(name.text());
  if (found == shard.slots.end()) return;
  std::vector<Slot>& slots = found->second;
  const auto slot =
      std::find_if(slots.begin(), slots.end(), [&](const Slot& one) { return one.epoch == epoch; });
  if (slot == slots.end()) return;
  removed = std::move(*slot);
  slots.erase(slot);
  if (slots.empty()) shard.slots.erase(found);
}

bool Residents::Trusts(const Slot& slot, const Sender& sender) const {
  if (slot.trusted == nullptr) return true;
  const Caller& process = sender.process;
  if (process.host == self_ && !process.is_client) return true;
  return std::any_of(slot.trusted->begin(), slot.trusted->end(), [&](const std::string& one) {
    return one == process.host || (!one.empty() && one == process.tls_subject);
  });
}

Residents::Slot Residents::SlotOf(std::string_view name, uint64_t epoch) {
  const absl::string_view key(name.data(), name.size());
  const size_t hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  std::lock_guard lock(shard.mutex);
  const auto found = shard.slots.find(key, hash);
  if (found != shard.slots.end()) {
    for (const Slot& one : found->second) {
      if (one.epoch == epoch) return one;
    }
  }
  return {};
}

void Residents::Deliver(const LocalDelivery& to, Letter letter) {
  const Slot slot = SlotOf(to.name, to.epoch);
  if (slot.box == nullptr) {
    missing_.fetch_add(1, std::memory_order_relaxed);
    return letter.reply.Answer(NoSuchTargetError(to.name, to.epoch, view()));
  }
  if (!Trusts(slot, *letter.sender)) {
    untrusted_.fetch_add(1, std::memory_order_relaxed);
    return letter.reply.Answer(WithDelivery(
        absl::PermissionDeniedError(absl::StrCat(letter.sender->process.host,
                                                 " is no trusted caller of ",
                                                 absl::string_view(to.name.data(), to.name.size()),
                                                 " (attribute ", kTrustedCallers, ")")),
        Delivery::kRejected));
  }
  if (to.deduplicate.count() > 0) {
    const Caller& process = letter.sender->process;
    CallKey key{.caller = process.instance,
                .host = process.host,
                .call = to.call,
                .name = std::string(to.name)};
    if (!remembered_->Admit(std::move(key), to.deduplicate, letter)) return;
  }
  slot.box->Put(std::move(letter));
}

}  // namespace grid::internal
