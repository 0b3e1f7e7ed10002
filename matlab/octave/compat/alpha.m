% alpha (SHARE)
% How opaque the surfaces and patches of the axes are, from 0 to 1.

function alpha (share)
  set (findobj (gca (), "-property", "facealpha"), "facealpha", share);
end
