// AdminServer: a small HTTP server for the operator's pages, on a thread of its own, so that it
// answers whatever the node's own threads do.
//
//   auto admin = AdminServer::Start("127.0.0.1:9100", [](std::string_view path) { return Page{...};
//   });
//
// The handler is called on that thread. The destructor closes everything and joins it.
#ifndef GRID_TOOLS_GRIDNODE_ADMIN_SERVER_H_
#define GRID_TOOLS_GRIDNODE_ADMIN_SERVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grid::tools {

struct Page {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
};

class AdminServer {
 public:
  using Handler = std::function<Page(std::string_view path)>;

  // Only GET and HEAD reach the handler; the path has no query. At most 64 connections at a time,
  // each closed after 10 s without a request.
  static absl::StatusOr<std::unique_ptr<AdminServer>> Start(const std::string& address,
                                                            Handler handler);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  uint16_t port() const;

 private:
  class Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDNODE_ADMIN_SERVER_H_
