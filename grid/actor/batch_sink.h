// BatchSink: where a Producer's batches go: to Recipients, or to a topic by its Publisher.
//
// Internal to grid/actor. One batch at a time, and one thread.
#ifndef GRID_GRID_ACTOR_BATCH_SINK_H_
#define GRID_GRID_ACTOR_BATCH_SINK_H_

#include <memory>

#include "absl/status/status.h"
#include "grid/actor/outgoing.h"
#include "grid/actor/publisher.h"
#include "handlers/completion.h"

namespace grid::internal {

class BatchSink {
 public:
  virtual ~BatchSink() = default;
  // Errors carry their delivery class. `again`: the batch of the last Send, which has failed.
  virtual void Send(Outgoing batch, bool again, Completion<absl::Status> completion) = 0;
};

std::unique_ptr<BatchSink> SinkTo(std::shared_ptr<RecipientsCore> to);
// What is sent again goes only to the subscribers that have not been reached.
std::unique_ptr<BatchSink> SinkTo(std::shared_ptr<PublisherCore> to);

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_BATCH_SINK_H_
