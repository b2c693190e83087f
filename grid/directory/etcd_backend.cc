#include "grid/directory/etcd_backend.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/directory/etcd_flush.h"
#include "grid/directory/etcd_keys.h"
#include "grid/directory/etcd_subscription.h"

namespace grid::internal {
namespace {

using etcd::Created;
using etcd::EntryOf;
using etcd::EtcdRange;
using etcd::FlushKey;
using etcd::kBehindMark;
using etcd::kMark;
using etcd::MemberKey;
using etcd::Pairs;
using etcd::Range;
using etcd::RangeOf;
using etcd::Revision;
using etcd::Succeeded;
using etcd::TextOf;
using etcd::Transaction;
using etcd::TransactionPairs;
using etcd::ValueObject;
using etcd::ValueText;

// Our lease has gone, and the session with it.
absl::Status Lapsed() { return absl::AbortedError("etcd has ended the lease"); }

}  // namespace

EtcdBackend::EtcdBackend(std::shared_ptr<EtcdGateway> gateway, std::string prefix, Duration lease,
                         Duration attempt)
    : gateway_(std::move(gateway)),
      prefix_(std::move(prefix)),
      ttl_s_(std::chrono::ceil<std::chrono::seconds>(lease).count()),
      attempt_(attempt) {}

// --- The session ---

struct EtcdBackend::Opening {
  LeaseCall call;
  Duration limit;  // for each of up to four steps: a quarter of the whole
  Done<LeaseGrant> done;
  uint64_t lease = 0;
  uint64_t member_revision = 0;  // of the member's key; 0: there is none
};

void EtcdBackend::Renew(LeaseCall call, Duration limit, Done<LeaseGrant> done) {
  if (lease_ != 0 && incarnation_ == call.incarnation) return KeepAlive(limit, std::move(done));
  lease_ = 0;
  keys_.clear();
  Grant(std::make_shared<Opening>(
      Opening{.call = std::move(call), .limit = limit / 4, .done = std::move(done)}));
}

void EtcdBackend::Grant(const std::shared_ptr<Opening>& opening) {
  gateway_->Ask("/v3/lease/grant", {{"TTL", std::to_string(ttl_s_)}}, opening->limit,
                [this, opening](absl::StatusOr<json::object> answer) {
                  if (!answer.ok()) return opening->done(answer.status());
                  opening->lease = EtcdNumber(*answer, "ID");
                  ReplaceOlder(opening);
                });
}

void EtcdBackend::ReplaceOlder(const std::shared_ptr<Opening>& opening) {
  gateway_->Ask("/v3/kv/range", Range(MemberKey(prefix_, opening->call.member), ""), opening->limit,
                [this, opening](absl::StatusOr<json::object> answer) {
                  if (!answer.ok()) return opening->done(answer.status());
                  const std::vector<json::object> pairs = Pairs(*answer);
                  if (pairs.empty()) return PutMember(opening);
                  const json::object value = ValueObject(pairs[0]);
                  if (EtcdNumber(value, "incarnation") > opening->call.incarnation) {
                    gateway_->Ask("/v3/lease/revoke", {{"ID", std::to_string(opening->lease)}},
                                  opening->limit, [](const absl::StatusOr<json::object>&) {});
                    return opening->done(absl::FailedPreconditionError(absl::StrCat(
                        "a newer incarnation of ", opening->call.member, " is there")));
                  }
                  opening->member_revision = EtcdNumber(pairs[0], "create_revision");
                  gateway_->Ask("/v3/lease/revoke", {{"ID", TextOf(value, "lease")}},
                                opening->limit,
                                [this, opening](const absl::StatusOr<json::object>& revoked) {
                                  // Its key goes with it, also where it has gone by itself.
                                  if (!revoked.ok() && !absl::IsNotFound(revoked.status())) {
                                    return opening->done(revoked.status());
                                  }
                                  opening->member_revision = 0;
                                  PutMember(opening);
                                });
                });
}

void EtcdBackend::PutMember(const std::shared_ptr<Opening>& opening) {
  const std::string key = MemberKey(prefix_, opening->call.member);
  const std::string lease = std::to_string(opening->lease);
  const std::string value =
      json::serialize(json::object{{"incarnation", opening->call.incarnation}, {"lease", lease}});
  json::object put{
      {"request_put",
       json::object{{"key", EtcdBase64(key)}, {"value", EtcdBase64(value)}, {"lease", lease}}}};
  gateway_->Ask("/v3/kv/txn",
                Transaction({Created(key, "", opening->member_revision)}, {std::move(put)}, {}),
                opening->limit, [this, opening](absl::StatusOr<json::object> answer) {
                  if (!answer.ok()) return opening->done(answer.status());
                  if (!Succeeded(*answer)) {
                    return opening->done(absl::UnavailableError("another session is being opened"));
                  }
                  incarnation_ = opening->call.incarnation;
                  lease_ = opening->lease;
                  opening->done(LeaseGrant{.fresh = true});
                });
}

void EtcdBackend::KeepAlive(Duration limit, Done<LeaseGrant> done) {
  gateway_->Ask(
      "/v3/lease/keepalive", {{"ID", std::to_string(lease_)}}, limit,
      [this, lease = lease_, done = std::move(done)](absl::StatusOr<json::object> answer) mutable {
        if (!answer.ok()) return done(answer.status());
        if (EtcdNumber(EtcdObject(*answer, "result"), "TTL") > 0) {
          return done(LeaseGrant());
        }
        if (lease_ == lease) lease_ = 0;
        done(Lapsed());
      });
}

void EtcdBackend::End(LeaseCall call, Duration limit, StatusDone done) {
  if (lease_ == 0 || incarnation_ != call.incarnation) {
    // Later, as every answer: by asking for nothing.
    gateway_->Ask("/v3/kv/range", Range(prefix_, ""), limit,
                  [done = std::move(done)](const absl::StatusOr<json::object>&) mutable {
                    done(absl::OkStatus());
                  });
    return;
  }
  gateway_->Ask("/v3/lease/revoke", {{"ID", std::to_string(std::exchange(lease_, 0))}}, limit,
                [done = std::move(done)](const absl::StatusOr<json::object>& answer) mutable {
                  done(answer.status());
                });
}

// --- Registrations ---

std::string EtcdBackend::KeyOf(const RegisterCall& call) const {
  std::string key = absl::StrCat(prefix_, call.name.text(), "!");
  if (call.holding == Holding::kShared) {
    absl::StrAppend(&key, absl::Hex(call.incarnation), "-", call.request);
  }
  return key;
}

void EtcdBackend::Register(RegisterCall call, Duration limit, Done<Entry> done) {
  // etcd forgets nothing: there is never anything to claim.
  const bool mine = lease_ != 0 && incarnation_ == call.incarnation && call.claim == 0;
  const std::string key = KeyOf(call);
  const std::string first = absl::StrCat(prefix_, call.name.text(), "!");
  const std::string behind = absl::StrCat(prefix_, call.name.text(), std::string(1, kBehindMark));
  json::array compare{Created(FlushKey(prefix_), "", 0)};
  if (call.holding == Holding::kExclusive) {
    compare.push_back(Created(first, behind, 0));
  } else {
    compare.push_back(Created(first, "", 0));
    compare.push_back(Created(key, "", 0));
  }
  const std::string value =
      ValueText(call.member, call.incarnation, call.request, call.holding, call.attributes);
  json::object put{{"request_put", json::object{{"key", EtcdBase64(key)},
                                                {"value", EtcdBase64(value)},
                                                // A lease that is not there: refused.
                                                {"lease", std::to_string(mine ? lease_ : 1)}}}};
  gateway_->Ask("/v3/kv/txn",
                Transaction(std::move(compare), {std::move(put)},
                            {json::object{{"request_range", Range(first, behind)}}}),
                limit,
                [this, call = std::move(call), key, lease = lease_,
                 done = std::move(done)](absl::StatusOr<json::object> answer) mutable {
                  if (absl::IsNotFound(answer.status())) {
                    if (lease_ == lease) lease_ = 0;
                    return done(Lapsed());
                  }
                  if (!answer.ok()) return done(answer.status());
                  Entry entry{.name = call.name,
                              .holding = call.holding,
                              .epoch = Revision(*answer),
                              .member = call.member,
                              .incarnation = call.incarnation,
                              .attributes = call.attributes};
                  if (Succeeded(*answer)) {
                    keys_[entry.epoch] = key;
                    return done(std::move(entry));
                  }
                  std::optional<Entry> holder;
                  for (const json::object& pair : TransactionPairs(*answer)) {
                    std::optional<Entry> other = EntryOf(prefix_, pair);
                    if (!other.has_value()) continue;
                    // The same call, whose answer was lost.
                    if (other->incarnation == call.incarnation && other->member == call.member &&
                        EtcdNumber(ValueObject(pair), "request") == call.request) {
                      keys_[other->epoch] = key;
                      return done(*std::move(other));
                    }
                    if (!holder.has_value()) holder = std::move(other);
                  }
                  if (holder.has_value()) return done(AlreadyHeldError(*holder));
                  // Gone between the two, or not to be had before the tokens of those who held
                  // names have ended.
                  done(absl::UnavailableError(
                      "etcd: the name was held, or names were flushed within the last lease"));
                });
}

void EtcdBackend::Update(UpdateCall call, Duration limit, StatusDone done) {
  const auto key = keys_.find(call.epoch);
  const std::string name = call.name.text();
  const std::string at = key == keys_.end() ? prefix_ + "!none" : key->second;
  const Holding holding = at.ends_with(kMark) ? Holding::kExclusive : Holding::kShared;
  // The request stays, as a shared key shows it; an exclusive one's is not asked for any more.
  const std::string value = ValueText(call.member, call.incarnation, 0, holding, call.attributes);
  json::object put{
      {"request_put", json::object{{"key", EtcdBase64(at)},
                                   {"value", EtcdBase64(value)},
                                   {"lease", std::to_string(lease_ == 0 ? 1 : lease_)}}}};
  gateway_->Ask("/v3/kv/txn", Transaction({Created(at, "", call.epoch)}, {std::move(put)}, {}),
                limit,
                [this, lease = lease_, name, epoch = call.epoch,
                 done = std::move(done)](absl::StatusOr<json::object> answer) mutable {
                  if (absl::IsNotFound(answer.status())) {
                    if (lease_ == lease) lease_ = 0;
                    return done(Lapsed());
                  }
                  if (!answer.ok()) return done(answer.status());
                  if (Succeeded(*answer)) return done(absl::OkStatus());
                  done(absl::NotFoundError(absl::StrCat(name, ": not held with epoch ", epoch)));
                });
}

void EtcdBackend::Deregister(DeregisterCall call, Duration limit, StatusDone done) {
  const std::string first = absl::StrCat(prefix_, call.name.text(), "!");
  const auto known = keys_.find(call.epoch);
  if (call.epoch != 0 && known != keys_.end()) {
    const std::string key = known->second;
    json::object remove{{"request_delete_range", Range(key, "")}};
    return gateway_->Ask(
        "/v3/kv/txn", Transaction({Created(key, "", call.epoch)}, {std::move(remove)}, {}), limit,
        [this, epoch = call.epoch,
         done = std::move(done)](const absl::StatusOr<json::object>& answer) mutable {
          if (answer.ok()) keys_.erase(epoch);
          done(answer.status());
        });
  }
  // What became of it is not known: looked for by the request.
  const std::string behind = absl::StrCat(prefix_, call.name.text(), std::string(1, kBehindMark));
  gateway_->Ask("/v3/kv/range", Range(first, behind), limit / 2,
                [this, call = std::move(call), limit,
                 done = std::move(done)](absl::StatusOr<json::object> answer) mutable {
                  if (!answer.ok()) return done(answer.status());
                  for (const json::object& pair : Pairs(*answer)) {
                    const std::optional<Entry> entry = EntryOf(prefix_, pair);
                    if (!entry.has_value() || entry->member != call.member ||
                        entry->incarnation != call.incarnation ||
                        EtcdNumber(ValueObject(pair), "request") != call.request) {
                      continue;
                    }
                    keys_[entry->epoch] = EtcdBytes(pair, "key");
                    call.epoch = entry->epoch;
                    return Deregister(std::move(call), limit / 2, std::move(done));
                  }
                  done(absl::OkStatus());
                });
}

void EtcdBackend::Flush(Duration limit, Done<uint64_t> done) {
  std::make_shared<EtcdFlush>(*gateway_, prefix_, ttl_s_, limit, std::move(done))->Start();
}

// --- Reading ---

void EtcdBackend::Resolve(Selector selector, Duration limit, Done<std::vector<Entry>> done) {
  const EtcdRange range = RangeOf(prefix_, selector);
  gateway_->Ask("/v3/kv/range", Range(range.begin, range.end), limit,
                [this, selector = std::move(selector),
                 done = std::move(done)](absl::StatusOr<json::object> answer) mutable {
                  if (!answer.ok()) return done(answer.status());
                  std::map<std::pair<Name, uint64_t>, Entry> found;
                  for (const json::object& pair : Pairs(*answer)) {
                    std::optional<Entry> entry = EntryOf(prefix_, pair);
                    if (!entry.has_value() || !selector.Matches(*entry)) continue;
                    found.emplace(std::pair(entry->name, entry->epoch), *entry);
                  }
                  std::vector<Entry> entries;
                  for (auto& [key, entry] : found) entries.push_back(std::move(entry));
                  done(std::move(entries));
                });
}

std::unique_ptr<Subscription> EtcdBackend::Subscribe(const Selector& selector,
                                                     SubscriptionSink& sink) {
  auto subscription = std::make_unique<EtcdSubscription>(
      gateway_, prefix_, RangeOf(prefix_, selector), attempt_, sink);
  subscription->Start();
  return subscription;
}

void EtcdBackend::AddStats(DirectoryStats& stats) const {
  const HttpStats http = gateway_->http();
  stats.connections += http.connections;
  stats.reused += http.reused;
  stats.answer_limit += gateway_->answers_too_large();
}

}  // namespace grid::internal
