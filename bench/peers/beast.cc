#include "bench/peers/beast.h"

#include <utility>

#include "bench/common/address.h"
#include "bench/common/poll_loop.h"
#include "bench/common/stop.h"
#include "bench/peers/batch.h"

namespace grid::bench {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using Acceptor = boost::asio::basic_socket_acceptor<tcp, boost::asio::io_context::executor_type>;

// What a one-way stream hands over at a time.
constexpr size_t kStreamBatch = size_t{64} << 10;

class ServerSession final : public BeastSession {
 public:
  using BeastSession::BeastSession;

 private:
  void OnBytes(ByteQueue& in) override {
    if (!greeted_) {
      const size_t used = ReadGreeting(in.contents(), greeting_);
      if (used == 0) return;
      in.Consume(used);
      greeted_ = true;
      payload_.assign(greeting_.size, 'x');
      return OnSent();
    }
    in.Consume(EchoBatch(in.contents(), out()));
  }

  void OnSent() override {
    if (!greeted_ || greeting_.mode != Mode::kOneWay) return;
    do {
      AppendMessage(out(), payload_.data(), payload_.size());
    } while (out().size() < kStreamBatch);
  }

  Greeting greeting_;
  bool greeted_ = false;
  std::string payload_;
};

class ClientSession final : public BeastSession {
 public:
  ClientSession(BufferedSocket::Socket socket, Framing framing, size_t size)
      : BeastSession(std::move(socket), framing), size_(size) {}

  // What has come since it was last asked.
  size_t TakeAnswers() { return std::exchange(counted_.messages, 0); }
  absl::Status status() const {
    if (counted_.wrong > 0) return absl::DataLossError("an answer of another length");
    return ended_;
  }

 private:
  void OnBytes(ByteQueue& in) override { in.Consume(CountBatch(in.contents(), size_, counted_)); }
  void OnEnd(const error_code& error) override { ended_ = SocketError("read", error); }

  const size_t size_;
  Counted counted_;
  absl::Status ended_;
};

class BeastClient final : public Client {
 public:
  BeastClient(boost::asio::io_context& io, std::shared_ptr<ClientSession> session,
              const Workload& workload)
      : io_(io), session_(std::move(session)), workload_(workload), payload_(workload.size, 'x') {
    AppendGreeting(session_->out(), workload);
    session_->Flush();
    session_->Start();
  }

  Tally Run(const Window& window) override { return RunPollLoop(*this, workload_, window); }

  void Send(size_t count) {
    for (; count > 0; --count) AppendMessage(session_->out(), payload_.data(), payload_.size());
    session_->Flush();
  }

  absl::StatusOr<size_t> Receive(Clock::time_point until) {
    for (;;) {
      if (until == Clock::time_point::max()) {
        io_.run_one();
      } else if (io_.run_one_until(until) == 0) {
        return 0;
      }
      if (absl::Status status = session_->status(); !status.ok()) return status;
      if (const size_t answers = session_->TakeAnswers(); answers > 0) return answers;
    }
  }

 private:
  boost::asio::io_context& io_;
  const std::shared_ptr<ClientSession> session_;
  const Workload workload_;
  const std::string payload_;
};

void AcceptNext(Acceptor& acceptor, Framing framing) {
  acceptor.async_accept(
      [&acceptor, framing](const error_code& error, BufferedSocket::Socket socket) {
        if (!error) {
          auto session = std::make_shared<ServerSession>(std::move(socket), framing);
          if (!session->Accept()) session->Start();
        }
        AcceptNext(acceptor, framing);
      });
}

}  // namespace

absl::Status BeastSystem::Serve(const Place& place) {
  ExitOnStop();
  const auto endpoint = ParseEndpoint(place.address);
  if (!endpoint.ok()) return endpoint.status();
  Acceptor acceptor(io_, *endpoint);
  AcceptNext(acceptor, framing_);
  PrintReady(place.address);
  io_.run();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Client>> BeastSystem::Connect(const Place& place,
                                                             const Workload& workload) {
  const auto endpoint = ParseEndpoint(place.address);
  if (!endpoint.ok()) return endpoint.status();
  BufferedSocket::Socket socket(io_);
  error_code error;
  socket.connect(*endpoint, error);
  if (error) return SocketError("connect", error);
  auto session = std::make_shared<ClientSession>(std::move(socket), framing_, workload.size);
  error = session->Handshake();
  if (error) return SocketError("handshake", error);
  return std::make_unique<BeastClient>(io_, std::move(session), workload);
}

}  // namespace grid::bench
