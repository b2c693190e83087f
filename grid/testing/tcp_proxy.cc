#include "grid/testing/tcp_proxy.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <thread>
#include <utility>
#include <vector>

namespace grid::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using SteadyClock = std::chrono::steady_clock;
using Error = boost::system::error_code;

// What one read takes at most.
constexpr size_t kChunk = size_t{64} << 10;

// Two sockets, and what is on its way between them. Lives as long as anything is under way.
class Line : public std::enable_shared_from_this<Line> {
 public:
  Line(asio::io_context& io, const TcpProxyOptions& options, tcp::socket accepted)
      : options_(options), ways_{Way(io, std::move(accepted)), Way(io, tcp::socket(io))} {}

  void Close() {
    for (Way& way : ways_) {
      Error ignored;
      way.from.close(ignored);
      way.timer.cancel();
    }
  }

  void Start(uint16_t port) {
    ways_[1].from.async_connect({asio::ip::address_v4::loopback(), port},
                                [self = shared_from_this()](Error error) {
                                  if (error) return self->Close();
                                  for (int way : {0, 1}) {
                                    self->ways_[way].from.set_option(tcp::no_delay(true));
                                    self->Read(way);
                                  }
                                });
  }

 private:
  struct Chunk {
    SteadyClock::time_point due;
    std::vector<char> bytes;
  };
  // From one socket to the other.
  struct Way {
    Way(asio::io_context& io, tcp::socket socket) : from(std::move(socket)), timer(io) {}

    tcp::socket from;
    asio::steady_timer timer;
    std::deque<Chunk> chunks;
    size_t queued = 0;
    bool reading = false;
    bool writing = false;
    bool ended = false;                  // nothing more comes
    SteadyClock::time_point sent_until;  // when all that was read has left, at the rate
  };

  void Read(int index) {
    Way& way = ways_[index];
    if (way.reading || way.ended || way.queued >= options_.queue_bytes) return;
    way.reading = true;
    std::vector<char> bytes(kChunk);
    const auto into = asio::buffer(bytes);
    way.from.async_read_some(into, [self = shared_from_this(), index, bytes = std::move(bytes)](
                                       Error error, size_t size) mutable {
      bytes.resize(size);
      self->OnRead(index, error, std::move(bytes));
    });
  }

  void OnRead(int index, Error error, std::vector<char> bytes) {
    Way& way = ways_[index];
    way.reading = false;
    way.ended = static_cast<bool>(error);
    way.sent_until = std::max(way.sent_until, SteadyClock::now());
    if (options_.bytes_per_second != 0) {
      way.sent_until +=
          std::chrono::nanoseconds(bytes.size() * 1'000'000'000 / options_.bytes_per_second);
    }
    way.queued += bytes.size();
    // An empty one is the end.
    way.chunks.push_back({way.sent_until + options_.delay, std::move(bytes)});
    Write(index);
    Read(index);
  }

  void Write(int index) {
    Way& way = ways_[index];
    if (way.writing || way.chunks.empty()) return;
    way.writing = true;
    way.timer.expires_at(way.chunks.front().due);
    way.timer.async_wait([self = shared_from_this(), index](Error error) {
      if (!error) self->WriteNow(index);
    });
  }

  void WriteNow(int index) {
    Way& way = ways_[index];
    if (way.chunks.front().bytes.empty()) return Close();
    asio::async_write(ways_[1 - index].from, asio::buffer(way.chunks.front().bytes),
                      [self = shared_from_this(), index](Error error, size_t size) {
                        if (error) return self->Close();
                        Way& written = self->ways_[index];
                        written.writing = false;
                        written.queued -= size;
                        written.chunks.pop_front();
                        self->Write(index);
                        self->Read(index);
                      });
  }

  const TcpProxyOptions options_;
  Way ways_[2];
};

}  // namespace

class TcpProxy::Impl {
 public:
  explicit Impl(const TcpProxyOptions& options)
      : options_(options),
        acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        address_("127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port())) {
    Accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Impl() {
    io_.stop();
    thread_.join();
  }

  const std::string& address() const { return address_; }
  void Forward(uint16_t port) { port_ = port; }
  void CloseConnections() {
    asio::post(io_, [this] {
      for (const auto& line : lines_) {
        if (const auto open = line.lock()) open->Close();
      }
      lines_.clear();
    });
  }

 private:
  void Accept() {
    acceptor_.async_accept([this](Error error, tcp::socket socket) {
      if (error) return;
      if (const uint16_t port = port_; port != 0) {
        auto line = std::make_shared<Line>(io_, options_, std::move(socket));
        line->Start(port);
        std::erase_if(lines_, [](const auto& known) { return known.expired(); });
        lines_.push_back(line);
      }
      Accept();
    });
  }

  const TcpProxyOptions options_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  const std::string address_;
  std::atomic<uint16_t> port_{0};
  std::vector<std::weak_ptr<Line>> lines_;  // its thread's
  std::thread thread_;
};

TcpProxy::TcpProxy(const TcpProxyOptions& options) : impl_(std::make_unique<Impl>(options)) {}
TcpProxy::~TcpProxy() = default;

const std::string& TcpProxy::address() const { return impl_->address(); }
void TcpProxy::Forward(uint16_t port) { impl_->Forward(port); }
void TcpProxy::CloseConnections() { impl_->CloseConnections(); }

}  // namespace grid::testing
