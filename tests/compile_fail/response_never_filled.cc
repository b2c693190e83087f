// expect: a handler that returns absl::Status fills a Resp&, or there is NoPayload
#include "handlers/single_handler.h"

void Register(grid::Registrar& registrar) {
  constexpr grid::SingleHandler<int, int> kHandler{grid::HandlerId{9}};
  (void)kHandler.Register(registrar, [](int, grid::RequestContext&) { return absl::OkStatus(); });
}
