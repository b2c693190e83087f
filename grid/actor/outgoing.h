// Outgoing: a message as a verb has it; RawAnswer and RawResult: what comes back, before it is
// decoded. And how the typed verbs start those that know no types.
//
// Internal to grid/actor.
#ifndef GRID_GRID_ACTOR_OUTGOING_H_
#define GRID_GRID_ACTOR_OUTGOING_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/publication.h"
#include "grid/actor/target.h"
#include "handlers/completion.h"
#include "handlers/typed.h"
#include "serialization/buffer.h"

namespace grid::internal {

class GatherOperation;
class RecipientsCore;

struct Outgoing {
  std::string_view type;  // lives for ever
  ScratchBuffer body;
  absl::Status encoded;  // an error: `body` is not to be sent
  bool answered;         // whoever sends it needs the answer's bytes
  std::optional<Publication> publication = {};
};

struct RawAnswer {
  Buffer bytes;
  std::shared_ptr<const Target> from;
};

struct RawResult {
  Target target;
  absl::StatusOr<Buffer> answer;
};

struct RawResults {
  absl::Status status;  // why nobody was asked, or why it ended early
  std::vector<RawResult> results;
  size_t cancelled = 0;
  bool enough = false;  // as many have succeeded as Routing::First asks for
};

// "reply: ..." of `from`: kInvalidArgument, executed.
absl::Status UndecodableError(const absl::Status& decoded, const Target& from);

using CallCompletion = Completion<absl::StatusOr<RawAnswer>>;
using SendCompletion = Completion<absl::Status>;
using NextCompletion = Completion<absl::StatusOr<std::optional<RawResult>>>;
using ResultsCompletion = Completion<RawResults>;

// OK; or why a message can't go to several: not sent. `core` may be null.
absl::Status CheckSeveral(const RecipientsCore* core, const Outgoing& message);

// To one. `core` may be null: kFailedPrecondition, not sent.
void StartCall(const std::shared_ptr<RecipientsCore>& core, Outgoing&& message,
               CallCompletion completion);
// To one or several, by the routing, without their answers.
void StartSend(const std::shared_ptr<RecipientsCore>& core, Outgoing&& message,
               SendCompletion completion);
// To several, with StartNext for each result, and DropGather when nobody reads them any more.
std::shared_ptr<GatherOperation> StartGather(const std::shared_ptr<RecipientsCore>& core,
                                             Outgoing message);
void StartGatherAll(const std::shared_ptr<RecipientsCore>& core, Outgoing message,
                    ResultsCompletion completion);
void StartNext(const std::shared_ptr<GatherOperation>& gather, NextCompletion completion);
void DropGather(const std::shared_ptr<GatherOperation>& gather);

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_OUTGOING_H_
