// Two nodes in one process, one request. README.md shows what stands between the markers; a test
// compares the two.

// [example]
#include <boost/asio/use_future.hpp>
#include <iostream>

#include "grid/manager.h"

int main() {
  grid::ManagerOptions here, there;
  here.local = "http://127.0.0.1:7420";
  there.local = "http://127.0.0.2:7420";
  grid::Manager client(here), server(there);

  absl::Status status = server.RegisterSingle(
      {.id = grid::HandlerId{9}}, [](grid::BytesView name, grid::RequestContext& context) {
        const std::string text(grid::AsText(name));
        return grid::Buffer::CopyOf("hello " + text + " at " + context.caller().host);
      });
  status.Update(client.AddPeer(there.local));
  status.Update(server.AddPeer(here.local));
  for (grid::Manager* node : {&server, &client}) {
    status.Update(node->Start());
    status.Update(node->Listen(node->local().substr(7)).status());
  }

  grid::Connection peer = client.Connection(there.local);
  auto reply = peer.Request(grid::HandlerId{9}, grid::AsBytes("grid"), {.wait_for_ready = true},
                            boost::asio::use_future);
  const absl::StatusOr<grid::Buffer> greeting = reply.get();
  status.Update(greeting.status());
  if (status.ok()) std::cout << greeting->text() << "\n";
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
// [example]
