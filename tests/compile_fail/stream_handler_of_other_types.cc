// expect: a stream handler takes \(const Payload&, HandlerStream&, RequestContext&\)
#include "handlers/stream_handler.h"

void Register(grid::Registrar& registrar) {
  constexpr grid::StreamHandler<int, int, int> kHandler{grid::HandlerId{9}};
  (void)kHandler.Register(registrar, [](grid::RequestContext&) { return absl::OkStatus(); });
}
