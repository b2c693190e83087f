// The operator's pages of a node: what AdminServer serves.
#ifndef GRID_TOOLS_GRIDNODE_ADMIN_PAGES_H_
#define GRID_TOOLS_GRIDNODE_ADMIN_PAGES_H_

#include <atomic>
#include <functional>
#include <string_view>

#include "tools/common/stats_format.h"
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
// `stats` is called on the server's thread; what it uses, and `ready`, must outlive the server.
AdminServer::Handler AdminPages(std::function<NodeStats()> stats, const std::atomic<bool>& ready);

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDNODE_ADMIN_PAGES_H_
