// A user's test, with the installed test kit: the same in memory.
#include <iostream>

#include "grid/testing/cluster.h"

int main() {
  grid::testing::Cluster cluster({.nodes = 2, .setup = [](int, grid::Manager& manager) {
                                    (void)manager.RegisterSingle(
                                        {.id = grid::HandlerId{78}},
                                        [](grid::BytesView request, grid::RequestContext&) {
                                          return grid::Buffer::CopyOf(request);
                                        });
                                  }});
  if (!cluster.StartAll()) return 1;
  const absl::StatusOr<grid::Buffer> reply =
      cluster.Call(0, 1, grid::HandlerId{78}, grid::AsBytes("hello"));
  if (!reply.ok()) {
    std::cerr << reply.status() << "\n";
    return 1;
  }
  return reply->text() == "hello" ? 0 : 1;
}
