// How the handler of a stream is started: on a worker, as a coroutine, or by a starter, on the
// link's thread.
#ifndef GRID_GRID_RUNTIME_START_STREAM_HANDLER_H_
#define GRID_GRID_RUNTIME_START_STREAM_HANDLER_H_

#include <memory>

#include "grid/runtime/link.h"
#include "handlers/context.h"
#include "handlers/handler_table.h"
#include "handlers/stream.h"

namespace grid {

// Loop thread of `link`. What the handler returns, or throws, is told to `end` by Finish. `context`
// lives as long as `end`, and `entry` as long as the handler runs. False: no room to run it.
bool StartStreamHandler(Link& link, const HandlerEntry& entry, std::shared_ptr<StreamBackend> end,
                        RequestContext& context);

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_START_STREAM_HANDLER_H_
