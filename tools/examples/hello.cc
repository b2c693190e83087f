// Two nodes in one process, one typed request. README.md shows what stands between the markers; a
// test compares the two.

// [example]
#include <boost/asio/use_future.hpp>
#include <iostream>

#include "grid/manager.h"
#include "handlers/single_handler.h"

struct Hello {
  std::string name;
  MSGPACK_DEFINE_MAP(name);
};
struct Greeting {
  std::string text;
  MSGPACK_DEFINE_MAP(text);
};
// One definition for both ends.
constexpr grid::SingleHandler<Hello, Greeting> kHello{grid::HandlerId{9}};

absl::StatusOr<Greeting> Greet(const Hello& hello, grid::RequestContext& context) {
  return Greeting{.text = "hello " + hello.name + " at " + context.caller().host};
}

int main() {
  grid::ManagerOptions here, there;
  here.local = "http://127.0.0.1:7420";
  there.local = "http://127.0.0.2:7420";
  grid::Manager client(here), server(there);

  absl::Status status = kHello.Register(server, Greet);
  status.Update(client.AddPeer(there.local));
  status.Update(server.AddPeer(here.local));
  for (grid::Manager* node : {&server, &client}) {
    status.Update(node->Start());
    status.Update(node->Listen(node->local().substr(7)).status());
  }

  auto call = kHello.Call(client.Connection(there.local), {.name = "grid"},
                          {.wait_for_ready = true}, boost::asio::use_future);
  const absl::StatusOr<Greeting> greeting = call.get();
  status.Update(greeting.status());
  if (status.ok()) std::cout << greeting->text << "\n";
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
// [example]
