// expect: a handler returns absl::StatusOr<Resp>
#include "handlers/single_handler.h"

void Register(grid::Registrar& registrar) {
  constexpr grid::SingleHandler<int, int> kHandler{grid::HandlerId{9}};
  (void)kHandler.Register(registrar, [](int, grid::RequestContext&) { return 1; });
}
