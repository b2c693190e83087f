// StreamMux: the state of one stream at one end; plain data that Session works on.
//
// Numbers and credits, per direction (PROTOCOL.md, "Streams"):
//
//            caller                                       handler
//   ConnectMux 0          ----------------------------->  next expected: 1
//   next expected: 1      <-----------------------------  AckMux 0          (+ in_capacity credits)
//   MuxClientMsg 1 (-1 credit)  ----------------------->
//                         <-----------------------------  UnblockClMux 1    (+1 credit: one was
//                         read)
//                         <-----------------------------  MuxServerMsg 2    (-1 of out_capacity)
//   UnblockSrvMux 2 (+1: one was read)  --------------->
//
// With the extension `credits`, ConnectMux and AckMux say how many there are at first, in messages
// and bytes, and later grants are of many at once (flow_control.h).
#ifndef GRID_GRID_MUX_STREAM_MUX_H_
#define GRID_GRID_MUX_STREAM_MUX_H_

#include <cstdint>

#include "absl/status/status.h"
#include "grid/base/clock.h"
#include "grid/mux/flow_control.h"
#include "grid/mux/session_host.h"
#include "grid/mux/timer_wheel.h"
#include "handlers/priority.h"

namespace grid {

// A message in pieces that has begun, and how far it has come.
struct OpenMessage {
  bool open = false;
  uint32_t seq = 0;
  uint64_t offset = 0;
};

struct StreamMux {
  enum class Side : uint8_t { kCaller, kHandler };

  uint64_t id = 0;
  StreamSink* sink = nullptr;
  ClientMux* slot = nullptr;  // caller's end: its place in the MuxTable

  TimerNode deadline_timer;
  TimerNode ping_timer;
  TimePoint deadline = TimePoint::max();
  TimePoint last_heard;
  TimePoint next_ping;  // caller's end

  uint32_t next_send = 0;     // number of the next message that we send
  uint32_t next_receive = 0;  // number that the peer's next message must have
  uint32_t in_capacity = 0;   // caller's end: credits that AckMux brings, unless it names them
  SendWindow send;
  ReceiveWindow receive;
  OpenMessage sending;    // where the peer reads in pieces
  OpenMessage receiving;  // where we do

  Side side = Side::kCaller;
  Priority priority = Priority::kDefault;  // of what we send
  bool acked = false;                      // caller's end: AckMux has come
  bool sent_eof = false;                   // caller's end: nothing more to send
  bool received_eof = false;               // handler's end: the caller sends nothing more
  bool wants_credit = false;               // Send returned kNoCredit: OnSendable is due
  bool waits_for_output = false;           // it is among the session's output_waiters_
  bool reads_pieces = false;               // large messages are given to the sink as they come
  bool peer_reads_pieces = false;          // so does the other end
  bool over = false;                       // handler's end: dead on the wire, waiting for Finish
  bool finishing = false;      // handler's end: Finish was called, the end waits for a credit
  absl::Status finish_status;  // handler's end: with which status
};

}  // namespace grid

#endif  // GRID_GRID_MUX_STREAM_MUX_H_
