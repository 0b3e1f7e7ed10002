function description = figure(params)
% DESCRIPTION = mcm.figure(PARAMS)
% MATLAB's figures are not taken apart into numbers: they are shown as pictures, as those are that have too many.

if ~any(double(get(0, 'children')) == params.number)
    error('There is no figure %d.', params.number);
end
description = struct('numbers', params.most + 1);
end
