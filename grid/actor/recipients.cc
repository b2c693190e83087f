#include "grid/actor/recipients.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/actor/call_operation.h"
#include "grid/actor/gather_operation.h"
#include "grid/actor/recipients_core.h"
#include "handlers/recycling_allocator.h"

namespace grid {
namespace internal {
namespace {

absl::Status NotSent(absl::Status status) {
  return WithDelivery(std::move(status), Delivery::kNotSent);
}

absl::Status Check(const RecipientsCore* core, const Outgoing& message) {
  if (core == nullptr) return absl::FailedPreconditionError("there is no actor system");
  if (!core->check().ok()) return core->check();
  if (message.type.empty() || message.type.size() > kMaxMessageTypeBytes) {
    return absl::InvalidArgumentError(absl::StrCat("message type: ", message.type.size(),
                                                   " bytes, 1 to ", kMaxMessageTypeBytes,
                                                   " are allowed"));
  }
  if (message.answered && core->policy().acknowledge != Acknowledgement::kProcessed) {
    return absl::InvalidArgumentError("acknowledge: there is no answer before \"processed\"");
  }
  if (!message.encoded.ok()) return PayloadError("request", message.encoded);
  return absl::OkStatus();
}

absl::Status CheckOne(const RecipientsCore* core, const Outgoing& message) {
  absl::Status status = Check(core, message);
  if (status.ok() && !core->routing().one()) {
    status = absl::InvalidArgumentError(
        absl::StrCat("routing: ", core->routing().ToString(), " takes several, Call takes one"));
  }
  return status.ok() ? status : NotSent(std::move(status));
}

template <typename Result>
void Refuse(const std::shared_ptr<RecipientsCore>& core, Completion<Result> completion,
            Result result) {
  if (core == nullptr) return completion(std::move(result));
  StartingVerb::Complete(core->env(), std::move(completion), std::move(result));
}

std::shared_ptr<CallOperation> MakeCall(const std::shared_ptr<RecipientsCore>& core,
                                        Outgoing&& message, CallOperation::Waiting waiting) {
  return std::allocate_shared<CallOperation>(RecyclingAllocator<CallOperation>(), core,
                                             std::move(message), std::move(waiting));
}

// What a Send to several comes to.
absl::Status StatusOf(const RawResults& results) {
  if (!results.status.ok()) return results.status;
  const absl::Status* first = nullptr;
  size_t failed = 0;
  Delivery worst = Delivery::kNotSent;
  for (const RawResult& result : results.results) {
    if (result.answer.ok()) {
      worst = Delivery::kExecuted;
      continue;
    }
    if (failed++ == 0) first = &result.answer.status();
    worst = std::max(worst, DeliveryOf(result.answer.status()));
  }
  if (first == nullptr || results.enough) return absl::OkStatus();
  absl::Status status(first->code(), absl::StrCat(failed, " of ", results.results.size(),
                                                  " failed, the first: ", first->message()));
  first->ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
  return WithDelivery(std::move(status), worst, IsRemote(*first));
}

}  // namespace

absl::Status CheckSeveral(const RecipientsCore* core, const Outgoing& message) {
  absl::Status status = Check(core, message);
  if (status.ok() && core->routing().one()) {
    status = absl::InvalidArgumentError(
        absl::StrCat("routing: ", core->routing().ToString(), " takes one, Gather takes several"));
  }
  return status.ok() ? status : NotSent(std::move(status));
}

absl::Status UndecodableError(const absl::Status& decoded, const Target& from) {
  return WithDelivery(absl::Status(decoded.code(), absl::StrCat("reply: ", decoded.message(), " (",
                                                                from.ToString(), ")")),
                      Delivery::kExecuted);
}

void StartCall(const std::shared_ptr<RecipientsCore>& core, Outgoing&& message,
               CallCompletion completion) {
  const StartingVerb starting;
  if (absl::Status refused = CheckOne(core.get(), message); !refused.ok()) {
    return Refuse(core, std::move(completion), absl::StatusOr<RawAnswer>(std::move(refused)));
  }
  ++core->env().counters().calls;
  const auto slot = completion.cancellation_slot();
  const auto call = MakeCall(core, std::move(message), std::move(completion));
  core->EndBy(slot, call);
  call->Start();
}

void StartSend(const std::shared_ptr<RecipientsCore>& core, Outgoing&& message,
               SendCompletion completion) {
  const StartingVerb starting;
  if (absl::Status refused = Check(core.get(), message); !refused.ok()) {
    return Refuse(core, std::move(completion), NotSent(std::move(refused)));
  }
  ++core->env().counters().sends;
  CandidatePtr picked;
  if (core->routing().one() && core->SendAtOnce(message, picked)) {
    return StartingVerb::Complete(core->env(), std::move(completion), absl::OkStatus());
  }
  const auto slot = completion.cancellation_slot();
  if (core->routing().one()) {
    const auto call = MakeCall(core, std::move(message), std::move(completion));
    core->EndBy(slot, call);
    return call->Start(std::move(picked));
  }
  const auto gather = std::make_shared<GatherOperation>(core, std::move(message));
  gather->All(ResultsCompletion(Converting(std::move(completion), &StatusOf)));
  core->EndBy(slot, gather);
  gather->Start();
}

std::shared_ptr<GatherOperation> StartGather(const std::shared_ptr<RecipientsCore>& core,
                                             Outgoing message) {
  const StartingVerb starting;
  absl::Status refused = CheckSeveral(core.get(), message);
  if (core == nullptr) return nullptr;
  auto operation = std::make_shared<GatherOperation>(core, std::move(message));
  if (!refused.ok()) {
    operation->Refuse(std::move(refused));
    return operation;
  }
  ++core->env().counters().gathers;
  operation->Start();
  return operation;
}

void StartGatherAll(const std::shared_ptr<RecipientsCore>& core, Outgoing message,
                    ResultsCompletion completion) {
  const StartingVerb starting;
  if (absl::Status refused = CheckSeveral(core.get(), message); !refused.ok()) {
    return Refuse(core, std::move(completion),
                  RawResults{.status = std::move(refused), .results = {}});
  }
  ++core->env().counters().gathers;
  const auto slot = completion.cancellation_slot();
  const auto gather = std::make_shared<GatherOperation>(core, std::move(message));
  gather->All(std::move(completion));
  core->EndBy(slot, gather);
  gather->Start();
}

void StartNext(const std::shared_ptr<GatherOperation>& gather, NextCompletion completion) {
  const StartingVerb starting;
  if (gather != nullptr) return gather->Next(std::move(completion));
  completion(NotSent(absl::FailedPreconditionError("there is nothing to gather")));
}

void DropGather(const std::shared_ptr<GatherOperation>& gather) { gather->Drop(); }

}  // namespace internal

const Selector& Recipients::selector() const { return core_->selector(); }
const Routing& Recipients::routing() const { return core_->routing(); }
const CallPolicy& Recipients::policy() const { return core_->policy(); }

}  // namespace grid
