% CONTENT = __session_value__ (PARAMS, VARIABLES)
% A part of a variable, small enough to be shown: a block of a matrix, a page of a cell's or struct array's elements,
% the fields of a struct, the text of anything else. PARAMS.path leads inside: names of fields and linear indices.
% VARIABLES is what `who` returns at the prompt.

function content = __session_value__ (params, variables)
  value = walk (params, variables);
  content = __session_summary__ (value);
  content.kind = "text";
  content.first = [params.row, params.column];
  if (isstruct (value) && isscalar (value))
    content.kind = "struct";
    content.items = fields_of (value, params);
  elseif (iscell (value) || isstruct (value))
    content.kind = "list";
    content.items = elements_of (value, params);
  elseif (isnumeric (value) || islogical (value))
    content.kind = "matrix";
    content = block_of (value, params, content);
  elseif (ischar (value) && ndims (value) == 2)
    shown = value(1:min (end, params.rows), 1:min (end, params.longest));
    content.content = strjoin (cellstr (shown)', "\n");
    if (rows (value) == 1)
      content.content = shown;
    end
  else
    content.content = evalc ("disp (value)")(1:min (end, params.longest));
  end
end

function value = walk (params, variables)
  if (! any (strcmp (params.name, variables)))
    error ("There is no variable `%s`.", params.name);
  end
  value = evalin ("base", params.name);
  path = params.path;
  if (! iscell (path))
    path = num2cell (path);
  end
  for i = 1:numel (path)
    step = path{i};
    if (ischar (step) && isstruct (value) && isscalar (value) && isfield (value, step))
      value = value.(step);
    elseif (isnumeric (step) && iscell (value) && step <= numel (value))
      value = value{step};
    elseif (isnumeric (step) && step <= numel (value))
      value = value(step);
    else
      error ("`%s` has no such element any more.", params.name);
    end
  end
end

function content = block_of (value, params, content)
  page = 1;
  if (ndims (value) > 2)
    page = min (params.page, prod (size (value)(3:end)));
    value = value(:, :, page);
  end
  [r, c] = deal (params.row:min (rows (value), params.row + params.rows - 1), ...
                 params.column:min (columns (value), params.column + params.columns - 1));
  block = full (value(r, c)).';
  content.page = page;
  content.shape = [numel(r), numel(c)];
  content.values = real (block(:)).';
  if (iscomplex (block))
    content.imaginary = imag (block(:)).';
  end
end

function items = fields_of (value, params)
  names = fieldnames (value)(params.row:min (end, params.row + params.rows - 1));
  items = cell (1, numel (names));
  for i = 1:numel (names)
    items{i} = __session_summary__ (value.(names{i}));
    items{i}.step = names{i};
  end
end

function items = elements_of (value, params)
  numbers = params.row:min (numel (value), params.row + params.rows - 1);
  items = cell (1, numel (numbers));
  for i = 1:numel (numbers)
    if (iscell (value))
      items{i} = __session_summary__ (value{numbers(i)});
    else
      items{i} = __session_summary__ (value(numbers(i)));
    end
    items{i}.step = numbers(i);
  end
end
