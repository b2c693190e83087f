#include "grid/directory/registry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace grid {
namespace {

// Beyond it an epoch that somebody claims to have seen is no epoch.
constexpr uint64_t kMaxEpoch = uint64_t{1} << 62;

absl::Status NoSession(const std::string& member) {
  return absl::AbortedError(absl::StrCat(member, " has no session, or another one"));
}

absl::Status CheckEpoch(const char* field, uint64_t epoch) {
  if (epoch <= kMaxEpoch) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", epoch, " is more than 2^62"));
}

}  // namespace

Registry::Registry(RegistryOptions options)
    : options_(std::move(options)), last_epoch_(std::min(options_.last_epoch, kMaxEpoch)) {}

// --- Sessions ---

Registry::Session* Registry::FindSession(const std::string& member, uint64_t incarnation) {
  const auto found = sessions_.find(member);
  if (found == sessions_.end() || found->second.incarnation != incarnation) return nullptr;
  return found->second.flushed ? nullptr : &found->second;
}

absl::StatusOr<LeaseGrant> Registry::Renew(const LeaseCall& call, TimePoint now) {
  Expire(now);
  if (absl::Status status = CheckEpoch("seen_epoch", call.seen_epoch); !status.ok()) return status;
  auto found = sessions_.find(call.member);
  if (found != sessions_.end() && found->second.incarnation > call.incarnation) {
    return absl::FailedPreconditionError(
        absl::StrCat("a newer incarnation of ", call.member, " is there"));
  }
  if (found != sessions_.end() && found->second.flushed &&
      found->second.incarnation == call.incarnation) {
    // It stays until the member comes back as another incarnation: this answer may be lost, and the
    // member go on with what it held.
    return absl::AbortedError("the directory was flushed");
  }
  if (found != sessions_.end() && found->second.incarnation < call.incarnation) {
    ++stats_.superseded;
    EndSession(found);
    found = sessions_.end();
  }
  LeaseGrant grant;
  if (found == sessions_.end()) {
    if (sessions_.size() >= options_.limits.max_sessions) {
      ++stats_.session_limit;
      return absl::ResourceExhaustedError(
          absl::StrCat("max_sessions (", options_.limits.max_sessions, ") members are there"));
    }
    found = sessions_.emplace(call.member, Session{.incarnation = call.incarnation}).first;
    grant.fresh = true;
  }
  last_epoch_ = std::max(last_epoch_, call.seen_epoch);
  Session& session = found->second;
  session.settled = session.holds.size() >= call.holds;
  expiries_.erase({session.expires, call.member});
  session.expires = now + options_.lease;
  expiries_.emplace(session.expires, call.member);
  return grant;
}

void Registry::End(const LeaseCall& call, TimePoint now) {
  Expire(now);
  const auto found = sessions_.find(call.member);
  if (found == sessions_.end() || found->second.incarnation != call.incarnation) return;
  EndSession(found);
}

void Registry::RemoveAll(Session& session) {
  while (!session.holds.empty()) {
    const auto [epoch, name] = *session.holds.begin();
    Remove(session, name, epoch);
  }
}

void Registry::EndSession(Sessions::iterator found) {
  Session& session = found->second;
  RemoveAll(session);
  if (session.flushed) --flushed_sessions_;
  expiries_.erase({session.expires, found->first});
  sessions_.erase(found);
}

void Registry::Expire(TimePoint now) {
  while (!expiries_.empty() && expiries_.begin()->first <= now) {
    ++stats_.expired;
    EndSession(sessions_.find(expiries_.begin()->second));
  }
}

std::optional<TimePoint> Registry::NextExpiry() const {
  if (expiries_.empty()) return std::nullopt;
  return expiries_.begin()->first;
}

bool Registry::InGrace(TimePoint now) const {
  if (now >= options_.grace_end) return false;
  if (options_.expected.empty()) return true;
  return !std::all_of(options_.expected.begin(), options_.expected.end(),
                      [this](const std::string& member) {
                        const auto found = sessions_.find(member);
                        return found != sessions_.end() && found->second.settled;
                      });
}

// --- Registrations ---

Registry::Record* Registry::FindOwn(const Session& session, const Name& name, uint64_t epoch,
                                    uint64_t request) {
  const auto holders = names_.find(name.text());
  if (holders == names_.end()) return nullptr;
  for (auto& [key, record] : holders->second) {
    if (!session.holds.contains(key)) continue;
    if (epoch != 0 ? key == epoch : record.request == request) return &record;
  }
  return nullptr;
}

std::optional<Entry> Registry::Conflict(const RegisterCall& call) const {
  const auto holders = names_.find(call.name.text());
  if (holders == names_.end()) return std::nullopt;
  const Entry& first = holders->second.begin()->second.entry;
  if (call.holding == Holding::kShared && first.holding == Holding::kShared) return std::nullopt;
  return first;
}

absl::StatusOr<Entry> Registry::Register(const RegisterCall& call, TimePoint now) {
  Expire(now);
  absl::Status checked = CheckAttributes(call.attributes);
  checked.Update(CheckEpoch("claim", call.claim));
  if (!checked.ok()) return checked;
  Session* const session = FindSession(call.member, call.incarnation);
  if (session == nullptr) return NoSession(call.member);
  if (const Record* own = FindOwn(*session, call.name, 0, call.request)) return own->entry;
  if (absl::Status why = WhyNotNow(now); call.claim == 0 && !why.ok()) return why;
  if (call.claim != 0 && claims_over_) {
    return absl::NotFoundError(absl::StrCat(call.name.text(), ": the directory was flushed"));
  }
  // Whoever may have held the name since then has not been told of this holder.
  if (call.claim != 0 && !InGrace(now)) {
    return absl::NotFoundError(absl::StrCat(call.name.text(), ": its lease has run out"));
  }
  if (call.claim != 0 && session->holds.contains(call.claim)) {
    return absl::InvalidArgumentError(absl::StrCat("claim: epoch ", call.claim, " came before"));
  }
  if (const std::optional<Entry> holder = Conflict(call)) {
    ++stats_.already_held;
    return AlreadyHeldError(*holder);
  }
  if (stats_.entries >= options_.limits.max_entries) {
    ++stats_.entry_limit;
    return absl::ResourceExhaustedError(
        absl::StrCat("max_entries (", options_.limits.max_entries, ") names are held"));
  }
  return Insert(*session, call);
}

absl::Status Registry::WhyNotNow(TimePoint now) const {
  if (flushed_sessions_ > 0) {
    return absl::UnavailableError(
        absl::StrCat("the directory was flushed; names are given away once ", flushed_sessions_,
                     " members know, or their leases have run out"));
  }
  if (!InGrace(now)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(
      "the directory has restarted; names are given to others than their holders in ",
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.grace_end - now).count(),
      " ms at the latest"));
}

Entry Registry::Insert(Session& session, const RegisterCall& call) {
  uint64_t epoch = call.claim;
  if (epoch == 0) {
    epoch = ++last_epoch_;
    ++stats_.registered;
  } else {
    last_epoch_ = std::max(last_epoch_, epoch);
    ++stats_.claimed;
  }
  Entry entry{.name = call.name,
              .holding = call.holding,
              .epoch = epoch,
              .member = call.member,
              .incarnation = call.incarnation,
              .attributes = call.attributes};
  names_[call.name.text()].insert_or_assign(epoch, Record{.entry = entry, .request = call.request});
  session.holds.insert_or_assign(epoch, call.name);
  ++stats_.entries;
  for (Watch* watch : watches_) {
    watch->view_.Put(entry);
    if (watch->ready()) watch->notify_();
  }
  return entry;
}

absl::Status Registry::Update(const UpdateCall& call, TimePoint now) {
  Expire(now);
  if (absl::Status status = CheckAttributes(call.attributes); !status.ok()) return status;
  Session* const session = FindSession(call.member, call.incarnation);
  if (session == nullptr) return NoSession(call.member);
  Record* const record = FindOwn(*session, call.name, call.epoch, 0);
  if (record == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(call.name.text(), ": not held with epoch ", call.epoch));
  }
  record->entry.attributes = call.attributes;
  for (Watch* watch : watches_) {
    watch->view_.Put(record->entry);
    if (watch->ready()) watch->notify_();
  }
  return absl::OkStatus();
}

absl::Status Registry::Deregister(const DeregisterCall& call, TimePoint now) {
  Expire(now);
  Session* const session = FindSession(call.member, call.incarnation);
  if (session == nullptr) return absl::OkStatus();  // it went with its session
  const Record* const record = FindOwn(*session, call.name, call.epoch, call.request);
  if (record == nullptr) return absl::OkStatus();
  ++stats_.deregistered;
  Remove(*session, call.name, record->entry.epoch);
  return absl::OkStatus();
}

void Registry::Remove(Session& session, const Name& name, uint64_t epoch) {
  session.holds.erase(epoch);
  const auto holders = names_.find(name.text());
  if (holders == names_.end() || holders->second.erase(epoch) == 0) return;
  if (holders->second.empty()) names_.erase(holders);
  --stats_.entries;
  for (Watch* watch : watches_) {
    watch->view_.Remove(name, epoch);
    if (watch->ready()) watch->notify_();
  }
}

uint64_t Registry::Flush(TimePoint now) {
  Expire(now);
  const uint64_t count = stats_.entries;
  for (auto& [member, session] : sessions_) {
    if (session.holds.empty()) continue;
    RemoveAll(session);
    session.flushed = true;
    ++flushed_sessions_;
  }
  stats_.flushed += count;
  claims_over_ = true;
  return count;
}

// --- Reading ---

template <typename Visit>
void Registry::ForEach(const Selector& selector, Visit visit) const {
  const auto visit_all = [&](const Holders& holders) {
    for (const auto& [epoch, record] : holders) visit(record.entry);
  };
  if (!selector.under().has_value()) {
    for (const Name& name : selector.names()) {
      const auto found = names_.find(name.text());
      if (found != names_.end()) visit_all(found->second);
    }
    return;
  }
  // Names are sorted as text: those below the path, and some that only begin like it.
  const std::string& path = selector.under()->text();
  for (auto at = names_.lower_bound(path); at != names_.end() && at->first.starts_with(path);
       ++at) {
    visit_all(at->second);
  }
}

std::vector<Entry> Registry::Resolve(const Selector& selector, TimePoint now) {
  Expire(now);
  std::vector<Entry> entries;
  ForEach(selector, [&](const Entry& entry) {
    if (selector.Matches(entry)) entries.push_back(entry);
  });
  return entries;
}

absl::StatusOr<std::unique_ptr<Registry::Watch>> Registry::StartWatch(
    const Selector& selector, absl::AnyInvocable<void()> ready, TimePoint now) {
  if (watches_.size() >= options_.limits.max_watches) {
    ++stats_.watch_limit;
    return absl::ResourceExhaustedError(
        absl::StrCat("max_watches (", options_.limits.max_watches, ") are there"));
  }
  std::unique_ptr<Watch> watch(
      new Watch(this, selector, options_.limits.max_watch_events, std::move(ready)));
  watch->view_.Reset(Resolve(selector, now));
  watches_.insert(watch.get());
  return watch;
}

Registry::Watch::~Watch() {
  registry_->watches_.erase(this);
  registry_->stats_.coalesced += view_.coalesced();
}

RegistryStats Registry::Stats() const {
  RegistryStats stats = stats_;
  stats.sessions = sessions_.size();
  stats.watches = watches_.size();
  for (const Watch* watch : watches_) stats.coalesced += watch->view_.coalesced();
  return stats;
}

}  // namespace grid
