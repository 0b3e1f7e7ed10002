function about = summary(value)
% ABOUT = mcm.summary(VALUE)
% A value in one line: class, size and a short text of it.

about = struct('class', class(value), 'size', size(value), 'complex', false, 'sparse', false, 'text', '');
if isnumeric(value) || islogical(value) || ischar(value)
    about.complex = ~isreal(value);
    about.sparse = issparse(value);
end
if ischar(value) && size(value, 1) <= 1 && ndims(value) == 2 %#ok<ISMAT>
    about.text = ['''', value(1:min(end, 200)), ''''];
elseif (isnumeric(value) || islogical(value)) && ndims(value) == 2 && numel(value) <= 20 && ~issparse(value) %#ok<ISMAT>
    about.text = mat2str(value, 5);
elseif isa(value, 'function_handle')
    about.text = func2str(value);
elseif isa(value, 'string') && isscalar(value)
    about.text = ['"', char(extractBefore(value, min(strlength(value), 200) + 1)), '"'];
end
end
