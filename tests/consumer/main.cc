// A user's program: two nodes on loopback and one typed call. It uses a socket of Asio itself,
// whose bodies are in the library.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <iostream>
#include <string>

#include "grid/manager.h"
#include "handlers/single_handler.h"

namespace {

// A name with a port that is free now.
std::string FreeName() {
  using boost::asio::ip::tcp;
  boost::asio::io_context io;
  const tcp::acceptor any(io, tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
  return "http://127.0.0.1:" + std::to_string(any.local_endpoint().port());
}

struct Numbers {
  int number = 0;
  MSGPACK_DEFINE_MAP(number);
};

constexpr grid::SingleHandler<Numbers, int> kTwice{grid::HandlerId{9}};

}  // namespace

int main() {
  grid::ManagerOptions here, there;
  here.local = FreeName();
  there.local = FreeName();
  grid::Manager client(here), server(there);

  absl::Status status = kTwice.Register(server, [](const Numbers& request, grid::RequestContext&) {
    return absl::StatusOr<int>(2 * request.number);
  });
  status.Update(client.AddPeer(there.local));
  status.Update(server.AddPeer(here.local));
  for (grid::Manager* node : {&server, &client}) {
    status.Update(node->Start());
    status.Update(node->Listen(node->local().substr(7)).status());
  }
  const absl::StatusOr<int> reply = kTwice
                                        .Call(client.Connection(there.local), Numbers{21},
                                              {.wait_for_ready = true}, boost::asio::use_future)
                                        .get();
  status.Update(reply.status());
  if (!status.ok()) {
    std::cerr << status << "\n";
    return 1;
  }
  std::cout << *reply << "\n";
  return *reply == 42 ? 0 : 1;
}
