// MemoryLink: one connection of a MemoryNetwork: two Transports and the bytes between them.
//
//   end 0 (dialled)                                       end 1 (accepted)
//   Write -> unwritten -> [window] -> chunks in flight -> OnMessage
//   OnMessage <- chunks in flight <- [window] <- unwritten <- Write
//
// Kept alive by its transports and by the events that are scheduled for it. One thread.
#ifndef GRID_GRID_TESTING_MEMORY_LINK_H_
#define GRID_GRID_TESTING_MEMORY_LINK_H_

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grid/testing/event_queue.h"
#include "grid/testing/memory_network.h"
#include "grid/testing/random.h"
#include "grid/transport/transport.h"

namespace grid::testing::internal {

// What all links of a network share.
struct LinkContext {
  LinkContext(std::shared_ptr<Clock> clock, const MemoryNetworkOptions& network_options)
      : options(network_options), events(std::move(clock)), random(options.seed) {}

  Duration Latency() { return random.Between(options.min_latency, options.max_latency); }

  const MemoryNetworkOptions options;
  EventQueue events;
  Random random;
  MemoryNetworkStats stats;
};

class MemoryLink : public std::enable_shared_from_this<MemoryLink> {
 public:
  // How one end sees the link.
  struct Place {
    boost::asio::io_context* io;
    std::string remote_address;
    std::string tls_subject;  // of the other end
  };

  MemoryLink(std::shared_ptr<LinkContext> context, Place dialled, Place accepted);

  // The transport of end `side`, 0 or 1; once for each.
  std::unique_ptr<Transport> NewTransport(int side);

  void Freeze() { frozen_ = true; }
  void Thaw();
  void Sever();
  // Neither end has been told that it is over, nor given up by its owner.
  bool open() const;

 private:
  class EndTransport;

  // Part of a message on its way, or the end of the connection.
  struct Chunk {
    TimePoint arrival;
    size_t bytes = 0;
    bool ends_message = false;
    bool ends_connection = false;
    std::vector<uint8_t> message;  // all of it, with the last chunk
    std::string detail;            // of the connection's end
  };

  struct End {
    Place place;
    TransportHandler* handler = nullptr;
    size_t max_message_bytes = SIZE_MAX;
    bool attached = true;  // the Transport exists
    bool started = false;
    bool closing = false;  // Close was called
    bool closed = false;   // OnClosed was called, or must not be any more

    // What this end sends.
    bool writing = false;     // from Write until OnWritten
    bool unfinished = false;  // not all of the message was taken into the window
    MutableBytes unwritten;
    std::vector<uint8_t> taken;  // of the message being written
    uint64_t progress = 0;
    std::deque<Chunk> chunks;
    size_t in_flight = 0;
    bool end_sent = false;
    TimePoint sent_until{};  // when all that was taken has left, at bytes_per_second
    TimePoint last_arrival{};
    bool delivery_scheduled = false;
    std::string close_detail;
  };

  void Start(int side, TransportHandler* handler);
  void Write(int side, MutableBytes message);
  void Close(int side, CloseCode code, std::string_view reason);
  void Detach(int side);

  // Takes bytes of the message that is being written into the window, as far as there is room.
  void Pump(int from);
  void SendEnd(int from, std::string detail);
  void Send(int from, Chunk chunk);
  void ScheduleDelivery(int from);
  void Deliver(int from);
  void DeliverEnd(int from, std::string_view detail);
  void Written(int side);
  // Calls OnClosed unless the end is over; only from an event on that end's io_context.
  void Finish(int side, CloseCause cause, std::string_view detail);

  // Schedules `event` on the io_context of end `side`, keeping the link alive.
  template <typename Function>
  void After(Duration delay, int side, Function event);

  const std::shared_ptr<LinkContext> context_;
  std::array<End, 2> ends_;
  bool frozen_ = false;
};

}  // namespace grid::testing::internal

#endif  // GRID_GRID_TESTING_MEMORY_LINK_H_
