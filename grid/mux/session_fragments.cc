// Session: large payloads in fragments, and the order in which messages leave. Only where both ends
// speak fragments.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/mux/session.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

// What may not come between the fragments of its mux.
bool IsInOrder(Op op) {
  return CarriesPayload(op) || op == Op::kAckMux || op == Op::kUnblockClMux ||
         op == Op::kUnblockSrvMux || op == Op::kPing;
}

MuxDirection DirectionOf(const Message& message) {
  const bool from_opener = message.op == Op::kRequest || message.op == Op::kConnectMux ||
                           message.op == Op::kMuxClientMsg || message.op == Op::kUnblockSrvMux ||
                           message.op == Op::kDisconnectServerMux || message.op == Op::kPing;
  return {message.mux_id, from_opener};
}

absl::StatusCode CodeOf(Drop why) {
  if (why == Drop::kUnknownDictionary) return absl::StatusCode::kFailedPrecondition;
  const bool broken = why == Drop::kBadFragment || why == Drop::kBadCompression;
  return broken ? absl::StatusCode::kDataLoss : absl::StatusCode::kResourceExhausted;
}

}  // namespace

// --- Sending ---

OutputQueue::Ticket Session::Schedule(const Message& message, Priority priority,
                                      PayloadRef payload) {
  if (message.op == Op::kDisconnect && message.seq != 0) {
    // The answer to a drain: behind every call that we have made.
    output_.PushLast(message);
    return {};
  }
  // Not behind what it is to keep alive.
  if (message.mux_id == 0 || message.op == Op::kPong) {
    return output_.Push(message, OutputQueue::kControl);
  }
  const auto of = priority == Priority::kDefault ? OutputQueue::kNormal
                                                 : static_cast<OutputQueue::Class>(priority);
  const MuxDirection from = DirectionOf(message);
  if (message.payload.size() > config_.extensions.fragments && CarriesPayload(message.op)) {
    if (payload.view().data() != message.payload.data()) payload = message.payload;
    const size_t most = Fragmenter::BytesOf(config_.extensions.fragments);
    return output_.PushToLane(Fragmenter(message, payload.Take(pool_), most, pool_), of, from);
  }
  if (output_.HasLane(from)) return output_.PushToLane(message, of, from);
  return output_.Push(message, of);
}

// --- Receiving ---

void Session::OnFragmentOrWhole(const Message& message) {
  if (piece_readers_ > 0 && OnPiece(message)) return;
  const bool fragment = (fields_.more || fields_.offset != 0) && CarriesPayload(message.op);
  if (!fragment && reassembly_.empty()) return Process(message);
  const MuxDirection from = DirectionOf(message);
  Reassembly::Partial* partial = reassembly_.Find(from);
  if (partial == nullptr) {
    if (!fragment) return Process(message);
    partial = BeginPayload(message, from);
    if (partial == nullptr) return;
  } else if (!IsInOrder(message.op)) {
    return Process(message);
  }
  if (!fragment || message.payload.size() > config_.extensions.fragments) {
    return RefusePayload(message, partial->op, Drop::kBadFragment,
                         fragment ? "a fragment is larger than agreed"
                                  : "a message came between the fragments of another");
  }
  switch (reassembly_.Add(partial, message, fields_.offset)) {
    case Reassembly::Added::kYes:
      return fields_.more ? AwaitMore(partial) : FinishPayload(message, partial);
    case Reassembly::Added::kMisfit:
      return RefusePayload(message, partial->op, Drop::kBadFragment,
                           "a fragment is not the next of its message");
    case Reassembly::Added::kPayloadLimit:
      return RefusePayload(message, partial->op, Drop::kPayloadTooBig,
                           "the payload exceeds max_payload_bytes");
    case Reassembly::Added::kTotalLimit:
      return RefusePayload(message, partial->op, Drop::kReassemblyLimit,
                           "max_reassembly_bytes of payloads are incomplete");
    case Reassembly::Added::kBufferedLimit:
      return RefusePayload(message, partial->op, Drop::kReassemblyLimit,
                           "max_buffered_bytes are held");
  }
}

// Null: it was refused, or nobody waits for it.
Reassembly::Partial* Session::BeginPayload(const Message& message, MuxDirection from) {
  const bool opens = message.op == Op::kRequest || message.op == Op::kConnectMux;
  if (fields_.offset != 0) {
    // Of a payload that was refused or given up, unless there is a mux that should have its
    // beginning.
    if (opens) {
      counters_.Count(Drop::kLateFragment);
    } else {
      RefusePayload(message, message.op, Drop::kBadFragment, "the first fragments are missing");
    }
    return nullptr;
  }
  if (!AdmitPayload(message)) return nullptr;
  Reassembly::Partial* partial = reassembly_.Begin(from, message);
  if (partial == nullptr) {
    RefusePayload(message, message.op, Drop::kReassemblyLimit,
                  "max_reassemblies payloads are incomplete");
    return nullptr;
  }
  // Requests and new streams have no mux yet whose deadline would end them.
  if (opens) {
    partial->timer.kind = kReassembly;
    partial->timer.owner = partial;
    if (message.deadline_ms != 0) {
      partial->deadline = now_ + std::chrono::milliseconds(message.deadline_ms);
    } else if (message.op == Op::kRequest) {
      partial->deadline = now_ + config_.default_timeout;
    }
  }
  return partial;
}

// What would be refused when it is whole is neither collected nor decompressed; what nobody waits
// for counts as `late`.
bool Session::AdmitPayload(const Message& message, Drop late) {
  switch (message.op) {
    case Op::kRequest:
    case Op::kConnectMux: {
      const HandlerEntry* entry =
          message.handler == 0 ? nullptr : handlers_.Find(message.handler, message.subroute);
      if (entry == nullptr || entry->is_stream() != (message.op == Op::kConnectMux)) {
        RefuseUnknownHandler(message);
        return false;
      }
      if (draining_) return RefuseDraining(message);
      return AdmitInbound(message);
    }
    case Op::kResponse: {
      const ClientMux* mux = calls_.Find(message.mux_id);
      if (mux != nullptr && mux->call != nullptr) return true;
      break;
    }
    default: {
      const bool to_handler = message.op == Op::kMuxClientMsg;
      StreamMux* mux = FindAlive(message.mux_id,
                                 to_handler ? StreamMux::Side::kHandler : StreamMux::Side::kCaller);
      if (mux == nullptr) break;
      if (message.seq != mux->next_receive) return CheckSequence(message, mux);
      return mux->finishing || CheckCredit(mux);
    }
  }
  counters_.Count(late);
  return false;
}

void Session::AwaitMore(Reassembly::Partial* partial) {
  switch (partial->op) {
    case Op::kRequest:
    case Op::kConnectMux:
      // Without a deadline it may take as long as it goes on.
      return wheel_.Set(&partial->timer,
                        std::min(partial->deadline, now_ + config_.default_timeout));
    case Op::kMuxClientMsg:
    case Op::kMuxServerMsg: {
      const bool to_handler = partial->op == Op::kMuxClientMsg;
      StreamMux* mux = FindAlive(partial->from.mux_id,
                                 to_handler ? StreamMux::Side::kHandler : StreamMux::Side::kCaller);
      if (mux != nullptr) mux->last_heard = now_;
      return;
    }
    default:
      return;
  }
}

void Session::FinishPayload(const Message& last, Reassembly::Partial* partial) {
  Message whole = last;
  // The time that it took counts.
  if (last.deadline_ms != 0 && partial->deadline != TimePoint::max()) {
    whole.deadline_ms = RemainingMs(partial->deadline, now_);
  }
  wheel_.Clear(&partial->timer);
  assembled_ = reassembly_.Remove(partial);
  whole.payload = assembled_;
  Process(whole);
  assembled_ = Buffer();
}

// Ends the mux of a payload, of a message `op`, that can't be completed or decompressed: the
// connection goes on.
void Session::RefusePayload(const Message& fragment, Op op, Drop why, std::string_view what) {
  GiveUpPayload(reassembly_.Find(DirectionOf(fragment)));
  const absl::string_view text(what.data(), what.size());
  const absl::Status error(CodeOf(why), text);
  const absl::Status status = WithDelivery(error, Delivery::kMaybeExecuted);
  switch (op) {
    case Op::kRequest:
    case Op::kConnectMux:
      counters_.Count(why);
      return SendMuxConnectError(fragment, error);
    case Op::kResponse: {
      ClientMux* mux = calls_.Find(fragment.mux_id);
      if (mux == nullptr || mux->call == nullptr) break;
      counters_.Count(why);
      SendDisconnect(fragment.mux_id, Op::kDisconnectServerMux, absl::OkStatus(), mux->priority);
      return EndCall(mux, status);
    }
    default: {
      StreamMux* mux =
          FindAlive(fragment.mux_id,
                    op == Op::kMuxClientMsg ? StreamMux::Side::kHandler : StreamMux::Side::kCaller);
      if (mux == nullptr) break;
      counters_.Count(why);
      if (op == Op::kMuxClientMsg) CountReset();
      return Abort(mux, status);
    }
  }
  counters_.Count(Drop::kLateFragment);
}

// Null: there is none.
void Session::GiveUpPayload(Reassembly::Partial* partial) {
  if (partial == nullptr) return;
  wheel_.Clear(&partial->timer);
  reassembly_.Remove(partial);
}

// --- Ends ---

// Nobody waits for what is left of a call or stream of ours, here or at the peer.
void Session::DropPartsOfCaller(uint64_t id) {
  if (config_.extensions.fragments == 0) return;
  output_.DropLane({id, true});
  GiveUpPayload(reassembly_.Find({id, false}));
}

// The caller has given up.
void Session::DropPartsOfHandler(uint64_t id) {
  if (config_.extensions.fragments == 0) return;
  output_.DropLane({id, false});
  GiveUpPayload(reassembly_.Find({id, true}));
}

}  // namespace grid
