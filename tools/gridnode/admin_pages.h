// The operator's pages of a node: what AdminServer serves.
#ifndef GRID_TOOLS_GRIDNODE_ADMIN_PAGES_H_
#define GRID_TOOLS_GRIDNODE_ADMIN_PAGES_H_

#include <atomic>
#include <string_view>

#include "grid/manager.h"
#include "tools/gridnode/admin_server.h"

namespace grid::tools {

// | path | answer |
// |---|---|
// | /healthz | 200 as long as the process answers |
// | /readyz | 200 while `ready`, otherwise 503 |
// | /metrics | every counter and gauge in Prometheus' text format |
// | /status.json | the same as JSON, with the state of each connection |
// | /console, / | a page that shows status.json and keeps itself fresh |
//
// `manager` and `ready` must outlive the server that calls the handler.
AdminServer::Handler AdminPages(const Manager& manager, const std::atomic<bool>& ready);

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDNODE_ADMIN_PAGES_H_
